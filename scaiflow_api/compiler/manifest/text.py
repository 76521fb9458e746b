"""Reads the text of a manifest into plain values, guarded against what YAML allows and nobody means.

Size, depth and the number of aliases are bounded before any value is built; tags, duplicate keys, several
documents and keys that are not text are refused.
"""

import re
from collections.abc import Sequence
from typing import Any

import ryaml
import yaml

from scaiflow_api.compiler.manifest.plain_form import is_in_plain_form
from scaiflow_api.compiler.manifest.section import ManifestError
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.canonical_json import encoded

MAX_BYTES = 4 * DEFAULT_LIMITS.max_bytes
MAX_PARTS = {"lists and mappings": 1_000_000, "entries of mappings": 850_000}
"""How many a manifest may have of each; what stands in a list counts with the lists.

An empty list takes three bytes in the text and 250 in memory while it is read, an entry six and 350, and more time.
"""
_MARKS = {"lists and mappings": ("[", "{", "- ", ":\n"), "entries of mappings": (": ", ":\n")}
"""What begins one of them, in almost any text."""
MAX_ALIASES = 100
MAX_DEPTH = 120
"""A little below where the loader stops by itself."""
MAX_EVENTS = 600_000
"""Scalars, lists and mappings in all, of a text that has to be looked through for anchors and tags."""

_QUOTED = re.compile(r'(?<=[:-] )"(?:[^"\\\n]++|\\.)*+"$', re.MULTILINE)
"""A value in double quotes that ends its line: nothing in it is YAML's."""
_INDICATORS = ("&", "*", "!", "<<")
"""What anchors, aliases and tags begin with, and the key that merges."""

COLLECTIONS = (list, dict)
TEXTS = frozenset({str})


def load_manifest_text(text: str) -> Any:
    """Return the document in `text`. Raises ManifestError."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ManifestError(f"The manifest is larger than {MAX_BYTES:,} bytes.")
    crowd = too_many_parts(text)
    if crowd is not None:
        raise ManifestError(f"The manifest has more than {MAX_PARTS[crowd]:,} {crowd}.")
    try:
        if _may_mean_more(text):
            _check_events(text)
        document = ryaml.loads(text)  # type: ignore[attr-defined]  # its stub names no exports
    except (yaml.YAMLError, ValueError) as error:
        raise ManifestError(f"The manifest is not readable YAML: {_sentence(error)}.") from error
    _check_values(document)
    return document


def too_many_parts(text: str) -> str | None:
    """Return what a text seems to have more than `MAX_PARTS` of, if anything."""
    for parts, marks in _MARKS.items():
        most = MAX_PARTS[parts]
        # Single signs are counted in a third of the time.
        if _count(text, [mark[0] for mark in marks]) <= most:
            continue
        if _count(text, marks) > most and _count(_QUOTED.sub("", text), marks) > most:
            return parts
    return None


def _count(text: str, marks: Sequence[str]) -> int:
    return sum(map(text.count, marks))


def _may_mean_more(text: str) -> bool:
    """Return whether there can be anchors, aliases, tags or merges in a text."""
    return any(mark in text for mark in _INDICATORS) and not is_in_plain_form(text)


def _check_events(text: str) -> None:
    """Go through the text without building any value."""
    counted = _Counted()
    for seen, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if seen > MAX_EVENTS:
            raise ManifestError(
                f"The manifest has what may be anchors or tags, and more than {MAX_EVENTS:,} values."
            )
        counted.add(event)
        if counted.aliases > MAX_ALIASES:
            raise ManifestError(f"The manifest has more than {MAX_ALIASES} aliases.")
        if counted.depth > MAX_DEPTH:
            raise ManifestError(f"The manifest is nested more than {MAX_DEPTH} levels deep.")
        if counted.size > MAX_BYTES:
            raise ManifestError("The manifest's aliases stand for more than a manifest may hold.")
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise ManifestError("The manifest has a merge key, which is not allowed.")
        if getattr(event, "tag", None) is not None:
            raise ManifestError("The manifest has a tag, which is not allowed.")


class _Counted:
    """How deep a text nests, and how large its values are once each alias is what it stands for."""

    def __init__(self) -> None:
        self.depth = self.aliases = self.size = 0
        self._open: list[tuple[str | None, int]] = []
        """Anchor of each open collection, and the size before it."""
        self._sizes: dict[str, int] = {}
        """By anchor."""

    def add(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                before, self.size = self.size, self.size + 1 + len(event.value)
                if event.anchor is not None:
                    self._sizes[event.anchor] = self.size - before
            case yaml.AliasEvent():
                self.aliases += 1
                self.size += self._sizes.get(event.anchor or "", 0)
            case yaml.CollectionStartEvent():
                self.depth += 1
                self._open.append((event.anchor, self.size))
                self.size += 1
            case yaml.CollectionEndEvent():
                self.depth -= 1
                anchor, before = self._open.pop()
                if anchor is not None:
                    self._sizes[anchor] = self.size - before


def _check_values(document: Any) -> None:
    if encoded(document, max_depth=MAX_DEPTH) is not None:
        return
    depth = 0
    level = [document] if isinstance(document, COLLECTIONS) else []
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ManifestError(f"The manifest is nested more than {MAX_DEPTH} levels deep.")
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                _check_keys(value)
            items = value.values() if isinstance(value, dict) else value
            inner += [item for item in items if isinstance(item, COLLECTIONS)]
        level = inner


def _check_keys(mapping: dict[Any, Any]) -> None:
    if TEXTS.issuperset(map(type, mapping)):
        return
    for key in mapping:
        if not isinstance(key, str):
            raise ManifestError(f"The manifest has a key that is not text: {str(key)[:80]}.")


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
