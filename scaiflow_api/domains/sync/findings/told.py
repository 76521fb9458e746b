"""Findings in a draft: `Y.Map("diagnostics")`, maps by keys that a finding keeps while others come and go."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from pycrdt import Doc, Map, TransactionEvent

from scaiflow_api.compiler import Diagnostic, validate_flow
from scaiflow_api.domains.sync.document import read_flow
from scaiflow_api.flowgraph import FlowTooLarge, Limits

NAME: Final = "diagnostics"
MOST_TOLD: Final = 500
"""Findings that a draft tells; who mends these sees the next."""
_NO_CHANGE: Final = b""


def told(updates: Sequence[bytes], client_id: int, server_keys: dict[str, str], limits: Limits) -> bytes:
    """Return the update that makes a draft tell its findings; empty where it does already.

    `server_keys` are what only the server writes into a flow: id, name and version.
    """
    doc: Doc[Any] = Doc(client_id=client_id)
    for update in updates:  # as the keeper made them, which looked at all that others wrote
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
    return [finding.as_dict() for finding in found[:MOST_TOLD]]
