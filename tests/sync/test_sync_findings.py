"""What is written of a draft's findings, whatever clients wrote beside them."""

from typing import Any

import pytest
from msgspec.structs import asdict
from pycrdt import Array, Doc, Map, Text

from scaiflow_api.domains.sync.document import seed
from scaiflow_api.domains.sync.findings.diagnostics_map import findings_update
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits

SERVER = {"id": "f", "name": "F", "version": "1.0.0"}
BROKEN = {"nodes": [{"id": "a", "type": "no_kind", "label": "A", "position": {"x": 0, "y": 0}}]}
LIMITS = Limits(**asdict(DEFAULT_LIMITS))


def a_draft() -> "tuple[Doc[Any], Map[Any]]":
    doc: Doc[Any] = Doc(client_id=7)
    doc.apply_update(seed(BROKEN, "e"))
    return doc, doc.get("diagnostics", type=Map)


def told(doc: "Doc[Any]", max_entries: int = 1_000) -> set[str]:
    """Write the findings of a draft, and return their keys."""
    update = findings_update([doc.get_update()], 8, SERVER, LIMITS, max_entries)
    if update:
        doc.apply_update(update)
    return set(doc.get("diagnostics", type=Map).keys())


def nested(into: "Map[Any]", depth: int) -> None:
    for _ in range(depth):
        into["in"] = Map()
        into = into["in"]


def test_it_is_written_once() -> None:
    doc, _ = a_draft()

    assert any(key.startswith("SF") for key in told(doc))
    assert findings_update([doc.get_update()], 8, SERVER, LIMITS, 1_000) == b""


@pytest.mark.parametrize(
    "foreign",
    [1, "text", [1], {"a": 1}, b"bytes", Text("typed"), Array([Map({"a": 1})]), Map({"a": Map({"b": 1})})],
    ids=["number", "text", "list", "object", "bytes", "text type", "array", "map"],
)
def test_what_clients_wrote_into_it_goes(foreign: Any) -> None:
    doc, shown = a_draft()
    right = told(doc)
    key = next(iter(right))
    shown["foreign"] = foreign
    shown[key] = Map({"code": "another"})

    assert told(doc) == right
    assert shown[key]["code"] == key.split()[0]


@pytest.mark.parametrize("depth", [300, 1_200])
def test_what_is_nested_too_deeply_to_be_deleted_stays_and_is_in_nobodys_way(depth: int) -> None:
    doc, shown = a_draft()
    shown["deep"] = Map()
    with doc.transaction():
        nested(shown["deep"], depth)

    assert "deep" in told(doc)
    assert len(told(doc)) > 1


def test_a_draft_that_somebody_blew_up_is_a_finding() -> None:
    doc, _ = a_draft()
    doc.get("flow", type=Map)["x"] = [0] * 2_000

    assert told(doc) == {"draft_too_large "}
