"""Writes JSON values as YAML in block style.

Our own writer, because the result must be the same bytes everywhere, hold no anchors, and read the same under YAML
1.1 and 1.2; and because it is ten times as fast as the general one on large flows. A test reads what it writes
with both of the parsers that matter.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./(-][A-Za-z0-9_.,/()'-]*)*")
"""Texts that need no quotes, but for the words below: nothing here can end a scalar or begin another token."""
WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
"""What some version of YAML reads as another type, in any case of letters."""
MAX_SIMPLE_KEY = 1000
"""In bytes; longer keys need the form with a question mark."""
MAX_REMEMBERED = 64
LISTS = (list, tuple)
_UNPRINTABLE = "\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\U0001fffe\U0001ffff"
UNPRINTABLE = re.compile(f"[{_UNPRINTABLE}]")
HIDDEN = re.compile(f"[\x00-\x09\x0b-\x1f{_UNPRINTABLE}]|[^\\S\n](?:\n|\\Z)")
"""What a block would not show, space at the end of a line among it."""


class TooLong(Exception):
    """A text that would be longer than it may be."""


def write_yaml(value: Mapping[str, Any], most: int = sys.maxsize) -> str:
    """Return the text of a mapping; keys keep their order.

    Raises TooLong as soon as it is certain that the text will have more than `most` characters.
    """
    lines: list[str] = []
    _mapping(value, "", "", lines, _Texts(most))
    return "\n".join(lines) + "\n"


class _Texts(dict[str, str]):
    """Text → how it is written. Keys, ids and words come again and again."""

    def __init__(self, room: int) -> None:
        self._room = room

    def take(self, lines: int, characters: int) -> None:
        """Note that so many lines will be written, of so many characters at least. Raises TooLong."""
        self._room -= lines * characters
        if self._room < 0:
            raise TooLong

    def __missing__(self, text: str) -> str:
        written = text if _is_plain(text) else _quoted(text)
        if len(text) <= MAX_REMEMBERED:
            self[text] = written
        return written


def _mapping(value: Mapping[str, Any], first: str, indent: str, lines: list[str], texts: _Texts) -> None:
    """Write the entries; the first line begins with `first` (a dash, or the indent itself)."""
    for key, item in value.items():
        name = texts[key]
        if len(name) > MAX_SIMPLE_KEY // 4 and len(name.encode()) > MAX_SIMPLE_KEY:
            lines.append(f"{first}? {name}")
            _entry(f"{indent}:", item, indent, lines, texts)
        elif type(item) is str and "\n" not in item:
            lines.append(f"{first}{name}: {texts[item]}")
        elif type(item) is int:
            lines.append(f"{first}{name}: {item}")
        else:
            _entry(f"{first}{name}:", item, indent, lines, texts)
        first = indent


def _entry(head: str, item: Any, indent: str, lines: list[str], texts: _Texts) -> None:
    if isinstance(item, dict) and item:
        lines.append(head)
        deeper = indent + "  "
        texts.take(len(item), len(deeper))
        _mapping(item, deeper, deeper, lines, texts)
    elif isinstance(item, LISTS) and item:
        lines.append(head)
        _sequence(item, indent + "  ", lines, texts)
    else:
        _leaf(head, item, indent, lines, texts)


def _sequence(value: Sequence[Any], indent: str, lines: list[str], texts: _Texts) -> None:
    dash, deeper = f"{indent}- ", indent + "  "
    texts.take(len(value), len(dash))
    for item in value:
        if isinstance(item, dict) and item:
            texts.take(len(item) - 1, len(deeper))
            _mapping(item, dash, deeper, lines, texts)
        elif isinstance(item, LISTS) and item:
            lines.append(f"{indent}-")
            _sequence(item, deeper, lines, texts)
        else:
            _leaf(f"{indent}-", item, indent, lines, texts)


def _leaf(head: str, item: Any, indent: str, lines: list[str], texts: _Texts) -> None:
    if isinstance(item, str) and _fits_a_block(item):
        body = item.removesuffix("\n").split("\n")
        texts.take(sum(map(bool, body)), len(indent))
        lines.append(f"{head} |" if item.endswith("\n") else f"{head} |-")
        lines.extend(f"{indent}  {line}" if line else "" for line in body)
    else:
        lines.append(f"{head} {_scalar(item, texts)}")


def _fits_a_block(text: str) -> bool:
    """Return whether a text of several lines reads well, and back, as a literal block."""
    body = text.removesuffix("\n")
    if "\n" not in body or body[0] in " \n\t" or body.endswith("\n"):
        return False
    return HIDDEN.search(text) is None


def _scalar(value: Any, texts: _Texts) -> str:
    if isinstance(value, str):
        return texts[value]
    if isinstance(value, float):
        return _float(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, LISTS):
        return "[]"
    return orjson.dumps(value).decode()


def _is_plain(text: str) -> bool:
    return PLAIN.fullmatch(text) is not None and text.lower() not in WORDS


def _quoted(text: str) -> str:
    """Return a double-quoted scalar: that of JSON, with what YAML calls unprintable escaped as well."""
    return UNPRINTABLE.sub(_escape, orjson.dumps(text).decode())


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def _float(value: float) -> str:
    """Return a number that YAML 1.1 reads as one too: it wants a point before the exponent."""
    text = repr(value)
    if "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text
