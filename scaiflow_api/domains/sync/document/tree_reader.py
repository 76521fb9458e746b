"""Reading the maps of a shared document into a tree, and a tree as JSON."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from scaiflow_api.domains.sync.document.shape import (
    ABSENT_MARK,
    DOCUMENT,
    INDEX,
    JSON,
    LIST,
    MAX_DEPTH,
    NOTHING_KNOWN,
    SERVER_KEYS,
    Part,
    Tree,
    unescaped,
)
from scaiflow_api.flowgraph.changes import ABSENT
from scaiflow_api.flowgraph.problems import DUPLICATE, NOT_A_FLOW, Problem, join_path
from scaiflow_api.kit.canonical_json import MAX_EXACT_INTEGER

ROOT: Final = "flow"
"""The map of the document that holds the flow."""

_Trail: TypeAlias = tuple[str | int, ...]
_TEXTS = (Text, XmlElement, XmlFragment, XmlText)


class Whole(dict[str, JSON]):
    """An object that a client wrote as one plain value: it can be read, but is only replaced as a whole."""


class TooMuch(Exception):
    """A document beyond a bound of the reader: nothing of it is returned."""

    def __init__(self, limit: str, maximum: int, actual: int) -> None:
        super().__init__(f"{actual} {limit}, of at most {maximum}")
        self.limit, self.maximum, self.actual = limit, maximum, actual


@dataclass
class Reader:
    """Reads trees, and trees as JSON; collects what it cannot read."""

    max_entries: int = sys.maxsize
    problems: list[Problem] = field(default_factory=list)
    entries: int = 0
    too_deep: set[str | int] = field(default_factory=set)
    """The root's keys in which maps were left out because of their depth: the library deletes nested ones on the
    stack, and may die of it."""

    def tree(self, root: "Map[Any]") -> dict[str, Tree]:
        """Return the tree of the root's map."""
        with root.doc.transaction():
            return self._map(root, (), 1)

    def document(self, tree: Mapping[str, Tree]) -> dict[str, JSON]:
        """Return the flow that a tree stands for."""
        found = self._object(tree, DOCUMENT, ())
        return {key: value for key, value in found.items() if key not in SERVER_KEYS}

    def json(self, tree: Tree, part: Part, trail: _Trail = ()) -> JSON:
        """Return the value that a tree stands for; ABSENT for the map of a key that the document does not have."""
        if isinstance(tree, list):
            return self._without_doubles(tree, part, trail)
        if not isinstance(tree, dict) or isinstance(tree, Whole):
            return tree
        if tree.get(LIST) is True:
            items = [self._present(tree[place], trail) for place in places_in(tree)]
            return self._without_doubles(items, part, trail)
        if part.name is None:
            found: JSON = self._object(tree, part, trail)
        else:
            found = [self.entry(tree[key], key, part, trail) for key in entries_in(tree)]
        return ABSENT if not found and tree.get(ABSENT_MARK) is True else found

    def _present(self, tree: Tree, trail: _Trail) -> JSON:
        value = self.json(tree, NOTHING_KNOWN, trail)
        return {} if value is ABSENT else value

    def _object(self, tree: Mapping[str, Tree], part: Part, trail: _Trail) -> dict[str, JSON]:
        found = {}
        for key, value in tree.items():
            name = unescaped(key)
            if name is not None:
                item = self.json(value, part.at(name), (*trail, name))
                if item is not ABSENT:
                    found[name] = item
        return found

    def entry(self, tree: Tree, key: str, part: Part, trail: _Trail = ()) -> JSON:
        """Return an entry that has a name, which is the key that it stands under."""
        name = unescaped(key)
        if not isinstance(tree, dict):
            return tree
        fields = tree if isinstance(tree, Whole) else self._object(tree, part.entry, (*trail, str(name)))
        return {**{key: value for key, value in fields.items() if key != INDEX}, part.name: name}

    def _without_doubles(self, items: list[JSON], part: Part, trail: _Trail) -> list[JSON]:
        """Leave out what has a name that an entry before it has: it may be the same entry, written twice."""
        if part.name is None:
            return items
        kept, names = [], set()
        for item in items:
            name = item.get(part.name) if isinstance(item, dict) else None
            if isinstance(name, str):
                if name in names:
                    self._report(trail, f"{part.name} {name[:80]!r} is there twice", DUPLICATE)
                    continue
                names.add(name)
            kept.append(item)
        return kept

    def _shared(self, value: object, trail: _Trail, depth: int) -> Tree:
        if isinstance(value, Map | Array) and depth > MAX_DEPTH:
            self.too_deep.add(trail[0])
            return self._refused(trail, "is nested too deeply")
        if isinstance(value, Map):
            return self._map(value, trail, depth)
        if isinstance(value, Array):
            self._count(len(value))
            items = (self._shared(item, (*trail, at), depth + 1) for at, item in enumerate(value))
            return [self._present(item, trail) for item in items]
        if isinstance(value, _TEXTS):
            return str(value)
        return self._plain(value, trail, depth)

    def _map(self, shared: "Map[Any]", trail: _Trail, depth: int) -> dict[str, Tree]:
        keys = sorted(shared.keys())
        self._count(len(keys))
        return {key: self._shared(shared[key], (*trail, key), depth + 1) for key in keys}

    def _plain(self, value: object, trail: _Trail, depth: int) -> JSON:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            # All numbers arrive as floats.
            return int(value) if value.is_integer() and abs(value) <= MAX_EXACT_INTEGER else value
        if not isinstance(value, dict | list):
            return self._refused(trail, "is no JSON")
        if depth > MAX_DEPTH:
            return self._refused(trail, "is nested too deeply")
        self._count(len(value))
        if isinstance(value, dict):
            return Whole({key: self._plain(value[key], (*trail, key), depth + 1) for key in sorted(value)})
        return [self._plain(item, (*trail, at), depth + 1) for at, item in enumerate(value)]

    def _count(self, entries: int) -> None:
        self.entries += entries
        if self.entries > self.max_entries:
            raise TooMuch("entries", self.max_entries, self.entries)

    def _refused(self, trail: _Trail, fault: str) -> None:
        self._report(trail, f"the value {fault}", NOT_A_FLOW)

    def _report(self, trail: _Trail, message: str, code: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(join_path(*trail), message, code))


MAX_PROBLEMS: Final = 100


def places_in(tree: Mapping[str, Tree]) -> list[str]:
    """Return the keys of a list's entries that have no names, in order."""
    return sorted(key for key in tree if unescaped(key) is not None)


def entries_in(tree: Mapping[str, Tree]) -> list[str]:
    """Return the keys of a list's entries that have names, in order; those without a place come last."""
    return sorted(
        (key for key in tree if unescaped(key) is not None), key=lambda key: _position(tree[key], key)
    )


def _position(entry: Tree, key: str) -> tuple[bool, str, str]:
    place = place_of(entry)
    return place is None, place or "", key


def place_of(entry: Tree) -> str | None:
    place = entry.get(INDEX) if isinstance(entry, dict) else None
    return place if isinstance(place, str) else None


def shared_root(doc: "Doc[Any]") -> "Map[Any]":
    root: Map[Any] = doc.get(ROOT, type=Map)
    return root
