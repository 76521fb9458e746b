"""Putting entries of lists where they belong, also between places that clients wrote."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pycrdt import Map

from scaiflow_api.domains.sync.document.encoding import encode, encode_entry
from scaiflow_api.domains.sync.document.fractional_index import first_places, places_between
from scaiflow_api.domains.sync.document.sequences import groups_after
from scaiflow_api.domains.sync.document.shape import INDEX, JSON, Part, Tree
from scaiflow_api.domains.sync.document.tree_reader import Reader, Whole, place_of
from scaiflow_api.domains.sync.document.writing import write

Shared: TypeAlias = "Map[Any]"


def place_named(
    after: Mapping[str, Mapping[str, JSON]],
    to_place: frozenset[str],
    order: list[str],
    tree: Mapping[str, Tree],
    target: Shared,
    part: Part,
) -> None:
    """Give new and moved entries their places, behind the entry that they follow in `after`."""
    if not to_place:
        return
    standing = [key for key in order if key not in to_place]
    groups = groups_after([*after], dict.fromkeys(standing), to_place)
    sequence = [
        key for anchor in [None, *standing] for key in [anchor, *groups.get(anchor, [])] if key is not None
    ]
    if sequence == order:
        return
    places: dict[str, str] | None = {}
    for anchor, following in zip([None, *standing], [*standing, None], strict=True):
        group = groups.get(anchor)
        if group and places is not None:
            low = place_of(tree[anchor]) if anchor is not None else None
            high = place_of(tree[following]) if following is not None else None
            unknown = anchor is not None and low is None
            found = None if unknown else places_between(low, high, len(group))
            if found is None:
                places = None
            else:
                places.update(zip(group, found, strict=True))
    if places is None:
        # No room where clients wrote places of their own, or two the same: all entries get new ones.
        places = dict(zip(sequence, first_places(len(sequence)), strict=True))
    for key, place in places.items():
        if key not in tree:
            write(target, key, encode_entry(after[key], part, place))
        elif is_map(tree[key]) and place_of(tree[key]) != place:
            target[key][INDEX] = place


def insert_unnamed(
    insert: Mapping[str | None, list[int]],
    standing: list[str],
    new: list[JSON],
    tree: Mapping[str, Tree],
    target: Shared,
) -> None:
    """Put entries of `new` behind the places that they follow."""
    if not insert:
        return
    places: dict[int, str] | None = {}
    for anchor, following in zip([None, *standing], [*standing, None], strict=True):
        group = insert.get(anchor)
        if group and places is not None:
            found = places_between(anchor, following, len(group))
            places = None if found is None else places | dict(zip(group, found, strict=True))
    if places is not None:
        for at, place in places.items():
            write(target, place, encode(new[at]))
        return
    # No room where clients wrote places of their own: the list is written anew, as it is in the draft.
    trees = []
    for anchor in [None, *standing]:
        trees += [] if anchor is None else [_live(target, anchor)]
        trees += [encode(new[at]) for at in insert.get(anchor, ())]
    for place in standing:
        del target[place]
    for place, item in zip(first_places(len(trees)), trees, strict=True):
        write(target, place, item)


def _live(target: Shared, key: str) -> Tree:
    """Return the tree of what stands under a key now, some of it already merged."""
    return Reader().tree(target)[key]


def is_map(tree: Tree) -> bool:
    return isinstance(tree, dict) and not isinstance(tree, Whole)
