"""Editing together."""

from scaiflow_api.settings.section import MIB, Section, variable


class Sync(Section):
    """Editing together: the drafts of flows, and the sockets through which they change."""

    max_message_bytes: int = variable(
        "SCAIFLOW_SYNC_MAX_MESSAGE_BYTES",
        8 * MIB,
        "largest message of a socket; closed with 4413 above it",
        ge=1024,
        le=64 * MIB,
    )
    max_document_bytes: int = variable(
        "SCAIFLOW_SYNC_MAX_DOCUMENT_BYTES",
        16 * MIB,
        "largest draft, with what is left of its history; a change beyond it closes its socket with 4413",
        ge=1024,
        le=256 * MIB,
    )
    max_entries: int = variable(
        "SCAIFLOW_SYNC_MAX_ENTRIES",
        500_000,
        "keys and entries of a flow that can be edited together; its sockets are closed with 4413 above it",
        ge=1_000,
    )
    max_awareness_bytes: int = variable(
        "SCAIFLOW_SYNC_MAX_AWARENESS_BYTES",
        64 * 1024,
        "what a socket may say at once of where its own clients are; closed with 4413 above it",
        ge=1024,
    )
    max_peers: int = variable(
        "SCAIFLOW_SYNC_MAX_PEERS",
        64,
        "sockets on one draft, per process; one more is closed with 4529",
        ge=1,
    )
    opening_timeout_s: float = variable(
        "SCAIFLOW_SYNC_OPENING_TIMEOUT_S",
        8.0,
        "seconds in which a socket must be authenticated and have told what it has; closed with 1013 after them",
        gt=0,
    )
    max_outbound_bytes: int = variable(
        "SCAIFLOW_SYNC_MAX_OUTBOUND_BYTES",
        8 * MIB,
        "what may wait for a slow reader, beyond the draft it began with; closed with 1013 above it",
        ge=1024,
    )
    idle_s: float = variable(
        "SCAIFLOW_SYNC_IDLE_S", 60.0, "seconds for which a draft stays loaded when nobody has it open", ge=0
    )
    poll_s: float = variable(
        "SCAIFLOW_SYNC_POLL_S",
        2.0,
        "seconds between two looks at what other processes wrote, and at who may still be there",
        gt=0,
        le=5,
    )
    merge_after: int = variable(
        "SCAIFLOW_SYNC_MERGE_AFTER",
        500,
        "changes after which a log is merged into one entry: in a pause of a second, or after four times as many",
        ge=2,
    )
    findings_delay_s: float = variable(
        "SCAIFLOW_SYNC_FINDINGS_DELAY_S", 0.5, "seconds from a change to the validation of the draft", ge=0
    )
