"""What a saved version changes, brought into a draft without taking away what is in the draft alone.

Compares three: the version that was changed (`base`), the version that was saved (`new`) and the draft. What nobody
touched in the draft becomes as in `new`. What somebody changed there stays, also where `new` changed the same value,
or took away what it is in, or changed something in what the draft took away: a version is kept for ever, an unsaved
edit is nowhere else. Values are compared, not histories, so doing it again changes nothing.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final

from pycrdt import Doc, TransactionEvent

from scaiflow_api.domains.sync.document.encoding import encode, encode_entry
from scaiflow_api.domains.sync.document.flow_reading import open_log
from scaiflow_api.domains.sync.document.fractional_index import first_places
from scaiflow_api.domains.sync.document.placing import Shared, insert_unnamed, is_map, place_named
from scaiflow_api.domains.sync.document.sequences import common_name, pairs, unmoved
from scaiflow_api.domains.sync.document.shape import (
    ABSENT_MARK,
    DOCUMENT,
    JSON,
    LIST,
    MAX_DEPTH,
    NOTHING_KNOWN,
    Part,
    Tree,
    escaped,
    names_of,
    shared_part,
)
from scaiflow_api.domains.sync.document.tree_reader import (
    Reader,
    TooMuch,
    entries_in,
    place_of,
    places_in,
    shared_root,
)
from scaiflow_api.domains.sync.document.writing import write
from scaiflow_api.flowgraph.changes import ABSENT, same

NO_CHANGE: Final = b"\x00\x00"
"""The Yjs update that says nothing."""


def merge(state: bytes, base: Mapping[str, JSON], new: Mapping[str, JSON], *, client_id: int) -> bytes:
    """Return what `merge_into` returns for the draft of a state, written under `client_id`."""
    return merge_into(open_log((state,), client_id=client_id), base, new)


def merge_into(
    doc: "Doc[Any]", base: Mapping[str, JSON], new: Mapping[str, JSON], *, max_entries: int = sys.maxsize
) -> bytes:
    """Bring the changes from `base` to `new` into a draft; return them as an update, NO_CHANGE if there are none.

    The document's client id is that of the draft's epoch (`epoch_client_id`): all that the server writes comes from
    it, so the caller must add the update to the very log that the document was made of, or drop it
    (compare-and-set), and nobody else may write under that id. Of equal arguments the update has equal bytes.
    Raises TooMuch where the draft has more than `max_entries`, or is nested more deeply than any flow: it cannot be
    saved either, until somebody takes that away.
    """
    root = shared_root(doc)
    reader = Reader(max_entries)
    tree = reader.tree(root)
    if reader.too_deep:
        # Deleting something of it could end the process.
        raise TooMuch("nesting", MAX_DEPTH - 1, MAX_DEPTH)
    updates: list[bytes] = []

    def keep(event: TransactionEvent) -> None:
        updates.append(event.update)

    watch = doc.observe(keep)
    with doc.transaction():
        _objects(shared_part(base), shared_part(new), tree, root, DOCUMENT)
    doc.unobserve(watch)
    return updates[0] if updates else NO_CHANGE


def _objects(
    base: Mapping[str, JSON], new: Mapping[str, JSON], tree: Mapping[str, Tree], target: Shared, part: Part
) -> None:
    for name in sorted(base.keys() | new.keys()):
        key = escaped(name)
        _value(
            base.get(name, ABSENT), new.get(name, ABSENT), tree.get(key, ABSENT), target, key, part.at(name)
        )


def _value(base: JSON, new: JSON, tree: Tree, target: Shared, key: str, part: Part) -> None:
    """Merge what stands under one key; ABSENT: nothing does."""
    if _equal(base, new) or _always_there(base, new, tree, target, key, part):
        return
    held = ABSENT if tree is ABSENT else Reader().json(tree, part)
    if held is ABSENT:
        if base is ABSENT:
            write(target, key, encode(new, part))
    elif new is ABSENT:
        if _equal(held, base):
            del target[key]
    elif not _inside(base, new, tree, target, key, part) and _equal(held, base):
        write(target, key, encode(new, part))


def _inside(base: JSON, new: JSON, tree: Tree, target: Shared, key: str, part: Part) -> bool:
    """Merge what is inside of a map, where all three are of one kind; tells whether they are."""
    if not is_map(tree):
        return False
    if tree.get(LIST) is True:
        base = [] if base is ABSENT else base
        fits = isinstance(base, list) and isinstance(new, list)
        if fits:
            _unnamed(base, new, tree, target[key])
    elif part.name is not None:
        base = [] if base is ABSENT else base
        fits = names_of(base, part) is not None and names_of(new, part) is not None
        if fits:
            _named(base, new, tree, target[key], part)
    else:
        base = {} if base is ABSENT else base
        fits = isinstance(base, dict) and isinstance(new, dict)
        if fits:
            _objects(base, new, tree, target[key], part)
    return fits


def _always_there(base: JSON, new: JSON, tree: Tree, target: Shared, key: str, part: Part) -> bool:
    """Merge into a map that stays where its key comes or goes; tells whether it is one."""
    if not part.always or not is_map(tree) or LIST in tree:
        return False
    empty: JSON = {} if part.name is None else []
    if not _inside(
        empty if base is ABSENT else base, empty if new is ABSENT else new, tree, target, key, part
    ):
        return False
    if new is ABSENT and ABSENT_MARK not in tree:
        target[key][ABSENT_MARK] = True
    elif new is not ABSENT and ABSENT_MARK in tree:
        del target[key][ABSENT_MARK]
    return True


def _named(base: list[JSON], new: list[JSON], tree: Mapping[str, Tree], target: Shared, part: Part) -> None:
    """Merge a list whose entries have names."""
    assert part.name is not None
    before, after = ({escaped(item[part.name]): item for item in items} for items in (base, new))
    gone = {
        key
        for key in before.keys() - after.keys()
        if key in tree and _equal(Reader().entry(tree[key], key, part), before[key])
    }
    for key in sorted(gone):
        del target[key]
    order = [key for key in entries_in(tree) if key not in gone]
    for key, item in after.items():
        if key in tree:
            _entry(before.get(key), item, tree[key], target, key, part)
    added = after.keys() - before.keys() - tree.keys()
    moved = (before.keys() & after.keys() & tree.keys()) - unmoved([*before], [*after])
    if [key for key in order if key in before] != [key for key in before if key in tree and key not in gone]:
        moved = set()  # somebody moved entries in the draft: its order stays
    place_named(after, frozenset(moved | added), order, tree, target, part)


def _entry(
    base: Mapping[str, JSON] | None,
    new: Mapping[str, JSON],
    tree: Tree,
    target: Shared,
    key: str,
    part: Part,
) -> None:
    """Merge an entry that the draft has."""
    if is_map(tree):
        fields = [{key: item[key] for key in item if key != part.name} for item in (base or {}, new)]
        _objects(fields[0], fields[1], tree, target[key], part.entry)
    elif base is not None and not _equal(base, new) and _equal(Reader().entry(tree, key, part), base):
        write(target, key, encode_entry(new, part, place_of(tree) or first_places(1)[0]))


def _unnamed(base: list[JSON], new: list[JSON], tree: Mapping[str, Tree], target: Shared) -> None:
    """Merge a list whose entries are known by their places alone."""
    places = places_in(tree)
    held = [Reader().json(tree[place], NOTHING_KNOWN) for place in places]
    name = common_name(base, new, held)
    in_draft, in_new = pairs(base, held, name), pairs(base, new, name)
    stays = set(places)
    for index, at in in_draft.items():
        place = places[at]
        if index in in_new:
            _value(base[index], new[in_new[index]], tree[place], target, place, NOTHING_KNOWN)
        elif _equal(held[at], base[index]):
            del target[place]
            stays.remove(place)
    stands = {in_new[index]: places[at] for index, at in in_draft.items() if index in in_new}
    others = [item for item, place in zip(held, places, strict=True) if place in stays - set(stands.values())]
    insert: dict[str | None, list[int]] = {}
    anchor: str | None = None
    for at, item in enumerate(new):
        if at in stands:
            anchor = stands[at]
        elif at not in in_new.values() and not any(_is_same_entry(item, other, name) for other in others):
            insert.setdefault(anchor, []).append(at)
    insert_unnamed(insert, [place for place in places if place in stays], new, tree, target)


def _is_same_entry(item: JSON, other: JSON, name: str | None) -> bool:
    return _equal(item, other) if name is None else bool(item[name] == other[name])


def _equal(first: JSON, second: JSON) -> bool:
    """Return whether two values, or none, have one canonical form."""
    if first is ABSENT or second is ABSENT:
        return first is second
    return same(first, second)
