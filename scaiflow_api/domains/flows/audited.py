"""The audit records of actions on flows."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from scaiflow_api.db.audit import Action, Detail, Entry, Outcome, state_hash
from scaiflow_api.db.models.flow import Flow, FlowVersion

Origin: TypeAlias = Mapping[str, Detail]
"""Where a content came from, for the details of its row: `{"copy_of": "flow_…"}`."""


def flow_state(flow: Flow) -> str:
    """Return the hash of what a flow is beside its content."""
    return state_hash(
        id=flow.id,
        name=flow.name,
        description=flow.description,
        owner_id=flow.owner_id,
        version=flow.version,
        deleted=flow.deleted_at is not None,
    )


def created(flow: Flow, stored: FlowVersion, origin: Origin) -> Entry:
    return flow_entry(
        flow, "flow.created", after=stored.sha256, details={"version": stored.version, **origin}
    )


def updated(
    flow: Flow,
    *,
    before: str | None,
    fields: Sequence[str],
    stored: FlowVersion | None = None,
    origin: Origin = MappingProxyType({}),
) -> Entry:
    """Tell of a change of `fields`, and of the document that was stored with it, if any."""
    if stored is None:
        return _moved(flow, "flow.updated", before, {"fields": [*fields]})
    details = {"fields": ["content", *fields], "version": stored.version, **origin}
    return flow_entry(flow, "flow.updated", before=before, after=stored.sha256, details=details)


def deleted(flow: Flow, *, before: str | None) -> Entry:
    return _moved(flow, "flow.deleted", before, {"version": flow.version})


def restored(flow: Flow, *, before: str) -> Entry:
    return _moved(flow, "flow.restored", before, {"version": flow.version})


def transferred(flow: Flow, *, before: str, old_owner: str) -> Entry:
    return _moved(flow, "flow.transferred", before, {"from": old_owner, "to": flow.owner_id})


def _moved(flow: Flow, action: Action, before: str | None, details: Mapping[str, Detail]) -> Entry:
    return flow_entry(flow, action, before=before, after=flow_state(flow), details=details)


def flow_entry(
    flow: Flow,
    action: Action,
    *,
    outcome: Outcome = "succeeded",
    before: str | None = None,
    after: str | None = None,
    details: Mapping[str, Detail] = MappingProxyType({}),
) -> Entry:
    """Tell of something done to a flow."""
    return Entry(
        tenant_id=flow.tenant_id,
        action=action,
        outcome=outcome,
        target_type="flow",
        target_id=flow.id,
        flow_id=flow.id,
        before=before,
        after=after,
        details=details,
    )
