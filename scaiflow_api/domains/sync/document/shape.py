"""How a flow document lies in the shared document: docs/coediting-document.md tells it to those who write clients.

Nothing but maps inside maps: `{}` here is a Y.Map, anything else is one value that is replaced as a whole.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from scaiflow_api.kit import canonical_json

JSON: TypeAlias = Any
Tree: TypeAlias = Any
"""Maps, and values that are replaced as a whole: scalars, and lists without any object in them."""

SERVER_KEYS: Final = ("id", "name", "version")
"""What the server writes into a document that it stores: it is kept out of the shared one."""
INDEX: Final = "$index"
"""In an entry of a list whose entries have names: its place."""
LIST: Final = "$list"
"""In the map of a list whose entries have none: true. Its other keys are places."""
ABSENT_MARK: Final = "$absent"
"""In a map that is always there: true where the document has no such key as long as the map is empty."""
MAX_DEPTH: Final = canonical_json.MAX_DEPTH + 1
"""What lies deeper is left out where a draft is read: no setting allows to store such a flow."""
_RESERVED: Final = re.compile(r"\$+(?:index|list|absent)")


class Part(NamedTuple):
    """What is known of one place in a document."""

    name: str | None = None
    """Its entries are known by this key, which no two may share (flowgraph.unique)."""
    always: bool = False
    """Its map is made with the document: of two people who make it at the same moment, one would lose all."""
    parts: Mapping[str, "Part"] = MappingProxyType({})
    """Of its entries, if they have names, else of itself."""

    def at(self, key: str) -> "Part":
        return self.parts.get(key, NOTHING_KNOWN)

    @property
    def entry(self) -> "Part":
        """What is known of one of its entries."""
        return Part(parts=self.parts)


NOTHING_KNOWN: Final = Part()
_PORTS: Final = Part("id")
_NODE: Final = {"config": Part(always=True), "inputs": _PORTS, "outputs": _PORTS}
_CONFIG: Final = {
    "core_identity": Part(parts={"models": Part("role")}),
    "scaiqueue": Part(parts={"queues": Part("slug")}),
}
DOCUMENT: Final = Part(
    parts={
        "nodes": Part("id", always=True, parts=_NODE),
        "edges": Part("id", always=True),
        "variables": Part("name", always=True),
        "tests": Part("name", always=True),
        "config": Part(always=True, parts=_CONFIG),
        "metadata": Part(always=True),
    }
)


def shared_part(document: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the document without what the server writes into it."""
    return {key: value for key, value in document.items() if key not in SERVER_KEYS}


def escaped(key: str) -> str:
    """Return the key under which a key of the document stands in a map."""
    return f"${key}" if _RESERVED.fullmatch(key) else key


def unescaped(key: str) -> str | None:
    """Return the document's key; None for a key that only the shared document has."""
    if _RESERVED.fullmatch(key) is None:
        return key
    return key[1:] if key.startswith("$$") else None


def names_of(value: JSON, part: Part) -> list[str] | None:
    """Return the names of a list's entries, in order; None where they are not known by names, or not all."""
    if part.name is None or not isinstance(value, list):
        return None
    names = [item.get(part.name) for item in value if isinstance(item, dict)]
    texts = [name for name in names if isinstance(name, str)]
    return texts if len(texts) == len(value) and len(set(texts)) == len(texts) else None


def count_entries(document: JSON) -> int:
    """Return how many keys of objects and entries of lists there are: each may take half a kilobyte when shared."""
    count, pending = 0, [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list):
            count += len(value)
            pending.extend(value.values() if isinstance(value, dict) else value)
    return count


def is_whole(value: JSON) -> bool:
    """Return whether a value is replaced as a whole: a scalar, or a list without any object in it."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            return False
        if isinstance(item, list):
            pending.extend(item)
    return True
