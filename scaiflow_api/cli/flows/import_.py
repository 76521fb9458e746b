"""`scaiflow import`: from a manifest or a bundle back to a flow document."""

import sys

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.flows.files import (
    STANDARD,
    decode,
    read_bytes,
    refuse_sources,
    shown_name,
    write_output,
)
from scaiflow_api.cli.flows.findings import show_unplaced, tell
from scaiflow_api.compiler import ManifestError, import_manifest
from scaiflow_api.compiler.readable import readable_json
from scaiflow_api.flowgraph.limits import FlowTooLarge

BUNDLE_MAGIC = b"SCIR"


def import_file(manifest: str, out: str | None) -> int:
    """Write the flow document; what could not be kept as it was is said beside it."""
    target = out or STANDARD
    refuse_sources(target, manifest)
    data = read_bytes(manifest)
    try:
        imported = import_manifest(data if data.startswith(BUNDLE_MAGIC) else decode(manifest, data))
        text = readable_json(imported.document)
    except (ManifestError, FlowTooLarge, ValueError) as error:
        raise CommandFailed(f"{shown_name(manifest)}: {error}") from None
    show_unplaced(shown_name(manifest), imported.diagnostics, sys.stderr)
    write_output(target, text)
    if target != STANDARD:
        tell(f"wrote {target}")
    return 0
