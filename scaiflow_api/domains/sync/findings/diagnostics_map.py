"""The findings in a draft, `Y.Map("diagnostics")`: a map each, by a key that stays while others come and go."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from pycrdt import Doc, Map, TransactionEvent

from scaiflow_api.compiler import Diagnostic, validate_flow
from scaiflow_api.domains.sync.document import read_flow
from scaiflow_api.flowgraph import FlowTooLarge, Limits

NAME: Final = "diagnostics"
MAX_FINDINGS: Final = 500
"""A draft holds no more findings than this; when some are mended, the next ones appear."""
_NO_CHANGE: Final = b""


def findings_update(
    updates: Sequence[bytes], client_id: int, server_keys: dict[str, str], limits: Limits
) -> bytes:
    """Return the update that writes a draft's current findings into it; empty where they are there already.

    `updates` make up the draft. `server_keys` are what only the server writes into a flow: id, name and version.
    """
    doc: Doc[Any] = Doc(client_id=client_id)
    for update in updates:  # safe to read: they come from the keeper, which checked what clients wrote
        doc.apply_update(update)
    wanted = keyed(_found({**read_flow(doc).document, **server_keys}, limits))
    shown: Map[Any] = doc.get(NAME, type=Map)
    changes: list[bytes] = []

    def keep(event: TransactionEvent) -> None:
        changes.append(event.update)

    watch = doc.observe(keep)
    with doc.transaction():
        there = shown.to_py() or {}
        for key in there.keys() - wanted.keys():
            del shown[key]
        for key, finding in wanted.items():
            if there.get(key) != finding:
                shown[key] = Map(finding)
    doc.unobserve(watch)
    return changes[0] if changes else _NO_CHANGE


def keyed(found: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return findings by their keys: code and path, and a number where there are several."""
    seen: Counter[str] = Counter()
    by_key = {}
    for finding in found:
        key = f"{finding['code']} {finding.get('path', '')}"
        seen[key] += 1
        by_key[key if seen[key] == 1 else f"{key} {seen[key]}"] = finding
    return by_key


def _found(document: dict[str, Any], limits: Limits) -> list[dict[str, Any]]:
    try:
        found = validate_flow(document, limits=limits)
    except FlowTooLarge as error:
        found = [Diagnostic("error", error.error, str(error))]
    return [finding.as_dict() for finding in found[:MAX_FINDINGS]]
