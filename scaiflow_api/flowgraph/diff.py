"""What differs between two flow documents: what the flow does, what its tests expect, what only people see."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct
from pydantic import BaseModel

from scaiflow_api.flowgraph.changes import ABSENT, Change, Trail, by_name, compare, is_reordered, same
from scaiflow_api.flowgraph.config import FlowConfig
from scaiflow_api.flowgraph.models import Edge, FlowGraph, Node, TestFixture, Variable

JSON: TypeAlias = Any
Item: TypeAlias = Mapping[str, JSON]
Changes: TypeAlias = tuple[Change, ...]


class ItemDiff(Struct, frozen=True):
    """The changes inside one node, edge, variable or fixture."""

    name: str
    """Its id; variables and fixtures are known by their names."""
    changes: Changes

    def as_dict(self) -> dict[str, JSON]:
        return {"name": self.name, "changes": [change.as_dict() for change in self.changes]}


class ListDiff(Struct, frozen=True):
    """The changes of one list: `added` and `removed` hold whole items."""

    added: tuple[Item, ...] = ()
    removed: tuple[Item, ...] = ()
    changed: tuple[ItemDiff, ...] = ()
    reordered: bool = False
    """Those that both sides have come in another order."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.reordered)

    def as_dict(self) -> dict[str, JSON]:
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": [item.as_dict() for item in self.changed],
            "reordered": self.reordered,
        }


NOTHING = ListDiff()


class PartDiff(Struct, frozen=True):
    """One half of the difference; `document` has the changes outside the lists."""

    nodes: ListDiff = NOTHING
    edges: ListDiff = NOTHING
    variables: ListDiff = NOTHING
    document: Changes = ()

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges or self.variables or self.document)

    def as_dict(self) -> dict[str, JSON]:
        lists = {"nodes": self.nodes, "edges": self.edges, "variables": self.variables}
        return {
            **{name: found.as_dict() for name, found in lists.items()},
            "document": [change.as_dict() for change in self.document],
        }


class FlowDiff(Struct, frozen=True):
    """The whole difference; it is empty exactly when both documents have one canonical form.

    `behaviour`: what can change a run. The order of nodes and edges belongs to it, and so do the labels of
    entries, which name flows and triggers, and keys that nobody here knows.
    `tests`: the fixtures.
    `layout`: what only people and the canvas see: positions, labels, descriptions, metadata, the document's id
    and version, and a default that is spelled out.
    """

    behaviour: PartDiff
    tests: ListDiff
    layout: PartDiff

    def __bool__(self) -> bool:
        return bool(self.behaviour or self.tests or self.layout)

    def as_dict(self) -> dict[str, JSON]:
        """Return it as JSON."""
        return {
            "equal": not self,
            "behaviour": self.behaviour.as_dict(),
            "tests": self.tests.as_dict(),
            "layout": self.layout.as_dict(),
        }


def diff_flows(old: Item, new: Item) -> FlowDiff:
    """Compare two documents that have the shape of a flow (`parse_document` finds no problem in them)."""
    nodes, edges, variables, tests = (_diff_list(section, old, new) for section in _SECTIONS)
    acting, shown = _split(_rest(old, new), _rest(new, old), _DOCUMENT, _is_about_the_document)
    return FlowDiff(
        behaviour=PartDiff(nodes[0], edges[0], variables[0], acting),
        tests=tests[0],
        layout=PartDiff(nodes[1], edges[1], variables[1], shown),
    )


def _nothing(_: Change, __: Item) -> bool:
    return False


def _is_drawing(change: Change, node: Item) -> bool:
    match change.trail:
        case ("position", *_) | ("inputs" | "outputs", _, "label"):
            return True
        case ("label",):
            return not node["type"].startswith("entry_")
        case ("inputs" | "outputs",):
            return change.moved
    return False


def _is_description(change: Change, _: Item) -> bool:
    return change.trail == ("description",)


def _is_about_the_document(change: Change, _: Item) -> bool:
    return change.trail[0] in ("$schema", "id", "metadata", "version")


class _Section(Struct, frozen=True):
    """One list of the document."""

    key: str
    name: str
    """The key by which its items are known."""
    model: type[BaseModel]
    is_layout: Callable[[Change, Item], bool] = _nothing
    """Of a change, and of the item after it."""
    order_acts: bool = True


_SECTIONS = (
    _Section("nodes", "id", Node, _is_drawing),
    _Section("edges", "id", Edge),
    _Section("variables", "name", Variable, _is_description, order_acts=False),
    _Section("tests", "name", TestFixture),
)
_DOCUMENT: Mapping[Trail, type[BaseModel]] = {(): FlowGraph, ("config",): FlowConfig}


def _diff_list(section: _Section, old: Item, new: Item) -> tuple[ListDiff, ListDiff]:
    """Return what acts, and what is only seen."""
    before, after = (by_name(document.get(section.key, ()), section.name) for document in (old, new))
    kept = {
        name: _split(before[name], item, {(): section.model}, section.is_layout)
        for name, item in after.items()
        if name in before
    }
    reordered = is_reordered(before, after)
    acting = ListDiff(
        added=tuple(item for name, item in after.items() if name not in before),
        removed=tuple(item for name, item in before.items() if name not in after),
        changed=tuple(ItemDiff(name, acting) for name, (acting, _) in kept.items() if acting),
        reordered=reordered and section.order_acts,
    )
    shown = ListDiff(
        changed=tuple(ItemDiff(name, shown) for name, (_, shown) in kept.items() if shown),
        reordered=reordered and not section.order_acts,
    )
    return acting, shown


def _split(
    old: Item,
    new: Item,
    models: Mapping[Trail, type[BaseModel]],
    is_layout: Callable[[Change, Item], bool],
) -> tuple[Changes, Changes]:
    acting: list[Change] = []
    shown: list[Change] = []
    for change in compare(_with_config(old, new), _with_config(new, old)):
        only_seen = is_layout(change, new) or _is_default(change, models)
        (shown if only_seen else acting).append(change)
    return tuple(acting), tuple(shown)


def _with_config(item: Item, other: Item) -> Item:
    """Return the item with an empty `config` where it has none and the other's holds something to compare."""
    return {**item, "config": {}} if "config" not in item and other.get("config") else item


def _is_default(change: Change, models: Mapping[Trail, type[BaseModel]]) -> bool:
    """Return whether a key came or went whose value says what its absence says."""
    model = models.get(change.trail[:-1])
    field = model.model_fields.get(str(change.trail[-1])) if model else None
    if field is None or field.is_required() or change.kind not in ("added", "removed"):
        return False
    default = {} if isinstance(field.default, BaseModel) else field.default
    return same(default, change.new if change.old is ABSENT else change.old)


def _rest(document: Item, other: Item) -> Item:
    """Return what is outside the lists, and a list that is empty here and empty or absent there."""
    lists = {section.key for section in _SECTIONS}
    return {
        key: value for key, value in document.items() if key not in lists or not (value or other.get(key))
    }
