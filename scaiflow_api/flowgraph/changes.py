"""What differs between two JSON values, leaf by leaf."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

JSON: TypeAlias = Any


class Named(NamedTuple):
    """A list entry that is known by its name instead of its place."""

    name: str


Step: TypeAlias = str | int | Named
Trail: TypeAlias = tuple[Step, ...]


class _Absent:
    """No value, which is not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
NAMES = ("id", "role", "slug", "name")
"""The keys that can name the entries of a list, the first that names all of them without doubles."""


class Change(Struct, frozen=True):
    """One difference. `old` or `new` is ABSENT where there is nothing on that side.

    `moved`: the order of a list's named entries is another, or one came in before others; `old` and `new` are the
    names.
    """

    trail: Trail
    old: JSON
    new: JSON
    moved: bool = False

    @property
    def kind(self) -> Literal["added", "removed", "changed", "moved"]:
        if self.moved:
            return "moved"
        if self.old is ABSENT:
            return "added"
        return "removed" if self.new is ABSENT else "changed"

    @property
    def path(self) -> str:
        """`config.goal`, `inputs[in].type` for an entry that has a name, `options[2]` for one that has none."""
        path = ""
        for step in self.trail:
            if isinstance(step, str):
                path += f".{step}" if path else step
            else:
                path += f"[{step.name if isinstance(step, Named) else step}]"
        return path

    def as_dict(self) -> dict[str, JSON]:
        """Return what goes on the wire: `old` and `new` only where there is one."""
        sides = {"old": self.old, "new": self.new}
        return {"path": self.path, "change": self.kind} | {
            side: value for side, value in sides.items() if value is not ABSENT
        }


def same(old: JSON, new: JSON) -> bool:
    """Return whether two JSON values have one canonical form: 1 is 1.0, and true is no number."""
    return next(compare(old, new), None) is None


def compare(old: JSON, new: JSON, trail: Trail = ()) -> Iterator[Change]:
    """Yield the changes from one value to another, keys in alphabetical order.

    Entries of a list are compared by name if all have one, else by place if both lists are of one length; else
    the list changed as a whole.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _side_by_side(old.get(key, ABSENT), new.get(key, ABSENT), (*trail, key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(old, new, trail)
    elif isinstance(old, bool) != isinstance(new, bool) or old != new:
        yield Change(trail, old, new)


def _side_by_side(old: JSON, new: JSON, trail: Trail) -> Iterator[Change]:
    if old is ABSENT or new is ABSENT:
        yield Change(trail, old, new)
    else:
        yield from compare(old, new, trail)


def _compare_lists(old: list[JSON], new: list[JSON], trail: Trail) -> Iterator[Change]:
    key = next((key for key in NAMES if _names(old, key) and _names(new, key)), None)
    if key is not None:
        before, after = by_name(old, key), by_name(new, key)
        for name in union(before, after):
            yield from _side_by_side(before.get(name, ABSENT), after.get(name, ABSENT), (*trail, Named(name)))
        if list(after) != [name for name in union(before, after) if name in after]:
            yield Change(trail, list(before), list(after), moved=True)
    elif len(old) == len(new):
        for index, (first, second) in enumerate(zip(old, new, strict=True)):
            yield from compare(first, second, (*trail, index))
    else:
        yield Change(trail, old, new)


def _names(items: list[JSON], key: str) -> bool:
    names = [item.get(key) for item in items if isinstance(item, dict)]
    texts = {name for name in names if isinstance(name, str)}
    return bool(items) and len(texts) == len(items)


def by_name(items: Sequence[Mapping[str, JSON]], key: str) -> dict[str, Mapping[str, JSON]]:
    return {item[key]: item for item in items}


def union(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> list[str]:
    """Return all names: those there were, in their order, then the new ones in theirs."""
    return [*before, *(name for name in after if name not in before)]


def is_reordered(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> bool:
    """Return whether the names that both sides have come in another order."""
    return [name for name in before if name in after] != [name for name in after if name in before]
