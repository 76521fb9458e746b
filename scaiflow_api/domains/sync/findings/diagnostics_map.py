"""The findings in a draft, `Y.Map("diagnostics")`: a map each, by a key that stays while others come and go."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from pycrdt import Doc, Map, TransactionEvent

from scaiflow_api.compiler import Diagnostic, validate_flow
from scaiflow_api.domains.sync.document import TooMuch, read_flow
from scaiflow_api.domains.sync.document.tree_reader import Reader
from scaiflow_api.domains.sync.draft.errors import DraftTooLarge
from scaiflow_api.flowgraph import FlowTooLarge, Limits
from scaiflow_api.kit.errors import AppError

NAME: Final = "diagnostics"
MAX_FINDINGS: Final = 500
"""A draft holds no more findings than this; when some are mended, the next ones appear."""
_NO_CHANGE: Final = b""


def findings_update(
    updates: Sequence[bytes],
    client_id: int,
    server_keys: dict[str, str],
    limits: Limits,
    max_entries: int,
) -> bytes:
    """Return the update that writes a draft's current findings into it; empty where they are there already.

    `updates` make up the draft. `server_keys` are what only the server writes into a flow: id, name and version.
    What clients wrote beside the findings goes, unless it is nested so deeply that the library may die of it.
    """
    doc: Doc[Any] = Doc(client_id=client_id)
    for update in updates:  # safe to read: they come from the keeper, which checked what clients wrote
        doc.apply_update(update)
    wanted = keyed(_found(doc, server_keys, limits, max_entries))
    shown: Map[Any] = doc.get(NAME, type=Map)
    reader = Reader()
    changes: list[bytes] = []

    def keep(event: TransactionEvent) -> None:
        changes.append(event.update)

    watch = doc.observe(keep)
    with doc.transaction():
        there = reader.tree(shown)
        for key in there.keys() - wanted.keys() - reader.too_deep:
            del shown[key]
        for key, finding in wanted.items():
            if there.get(key) != finding and key not in reader.too_deep:
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


def _found(
    doc: "Doc[Any]", server_keys: dict[str, str], limits: Limits, max_entries: int
) -> list[dict[str, Any]]:
    try:
        document = read_flow(doc, max_entries=max_entries).document
        found = validate_flow({**document, **server_keys}, limits=limits)
    except TooMuch as much:
        found = [_refusal(DraftTooLarge(limit=much.limit, maximum=much.maximum, actual=much.actual))]
    except FlowTooLarge as error:
        found = [_refusal(error)]
    return [finding.as_dict() for finding in found[:MAX_FINDINGS]]


def _refusal(error: AppError) -> Diagnostic:
    return Diagnostic("error", error.error, str(error))
