"""From a flow document to the tree of maps that is shared."""

from collections.abc import Mapping

from scaiflow_api.domains.sync.document.fractional_index import first_places
from scaiflow_api.domains.sync.document.shape import (
    ABSENT_MARK,
    INDEX,
    JSON,
    LIST,
    NOTHING_KNOWN,
    Part,
    Tree,
    escaped,
    is_whole,
    names_of,
)


def encode(value: JSON, part: Part = NOTHING_KNOWN) -> Tree:
    """Return the tree of a JSON value; the keys of its maps are sorted."""
    if isinstance(value, dict):
        return encode_object(value, part)
    names = names_of(value, part)
    if names is not None:
        return {
            escaped(name): encode_entry(item, part, place)
            for name, item, place in zip(names, value, first_places(len(names)), strict=True)
        }
    if is_whole(value):
        return value
    places = first_places(len(value))
    return {LIST: True, **{place: encode(item) for place, item in zip(places, value, strict=True)}}


def encode_object(value: Mapping[str, JSON], part: Part) -> Tree:
    tree = {escaped(key): encode(item, part.at(key)) for key, item in value.items()}
    for key, inner in part.parts.items():
        if inner.always and key not in value:
            tree[key] = {ABSENT_MARK: True}
    return dict(sorted(tree.items()))


def encode_entry(item: Mapping[str, JSON], part: Part, place: str) -> Tree:
    """Return the map of a list's entry: its name is the key that it stands under."""
    fields = {key: value for key, value in item.items() if key != part.name}
    return {INDEX: place, **encode_object(fields, part.entry)}
