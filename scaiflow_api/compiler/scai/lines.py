"""Writes names, values and blocks in the look of ScaiCore source.

Texts may hold anything: a name that is no identifier is quoted, and what a terminal would not show as it is
(control characters, marks that change the direction of writing) is escaped.
"""

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from scaiflow_api.expressions import ExpressionSyntaxError, parse, unwrap

JSON: TypeAlias = Any

WIDTH = 100
"""A list or a map that would make its line longer is written over several lines."""
STEP = "  "
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_ ,.<>\[\]?|-]*")
"""Without braces and quotes; other types are quoted."""
_encoded = json.JSONEncoder(ensure_ascii=False).encode


def quoted(text: str) -> str:
    """Return a string literal on one line."""
    literal = _encoded(text)
    if literal.isprintable():
        return literal
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in literal)


def name(text: str) -> str:
    return text if IDENTIFIER.fullmatch(text) else quoted(text)


def type_name(text: str) -> str:
    return text if TYPE.fullmatch(text) else quoted(text)


class Texts:
    """Writes texts of the language. `readable` are expressions that were read before; those are not read again."""

    def __init__(self, readable: Container[str] = ()) -> None:
        self._readable = readable

    def expression(self, text: str) -> str:
        """Return an expression as it is; quoted, if it would not stay on its line or cannot be read."""
        return text if self._is_expression(text) else quoted(text)

    def template(self, text: str) -> str:
        """Return a template: the bare expression where it is exactly one, else a string literal."""
        bare, wrapped = unwrap(text, self._readable)
        return bare if wrapped and self._is_expression(bare) else quoted(text)

    def _is_expression(self, text: str) -> bool:
        if not text.isprintable():
            return False
        if text in self._readable:
            return True
        try:
            parse(text)
        except ExpressionSyntaxError:
            return False
        return True


def long_text(text: str, indent: str) -> str:
    '''Return a string literal, over several lines where that reads well.

    Between `"""` each line begins with `indent`, which is no part of the text; nor is the last line break.
    '''
    lines = text.split("\n")
    if len(lines) == 1 or '"""' in text or "\\" in text:
        return quoted(text)
    if any(not line.isprintable() or line != line.rstrip() for line in lines):
        return quoted(text)
    return "\n".join(['"""', *(f"{indent}{line}" if line else "" for line in lines), f'{indent}"""'])


def value(item: JSON, indent: str, text: Callable[[str], str] = quoted) -> str:
    """Return a JSON value whose line is indented by `indent`. `text` writes the strings in it."""
    return _value(item, indent, text)[0]


def arguments(args: Mapping[str, JSON], indent: str, text: Callable[[str], str] = quoted) -> str:
    """Return the arguments of a call, parentheses included."""
    if not args:
        return "()"
    return _parts("(", _pairs(args, indent + STEP, text), ")", indent, WIDTH - len(indent) + len("()"))[0]


_Written: TypeAlias = tuple[str, str | None]
"""A value, and the same on one line; None where that is too long wherever the value stands."""


def _value(item: JSON, indent: str, text: Callable[[str], str]) -> _Written:
    if isinstance(item, str):
        short = text(item)
        breaks = "\n" in item and short == quoted(item)
        return long_text(item, indent + STEP) if breaks else short, short
    if not item or not isinstance(item, dict | list | tuple):
        short = _scalar(item)
        return short, short
    room, deeper = WIDTH - len(indent), indent + STEP
    if isinstance(item, dict):
        return _parts("{", _pairs(item, deeper, text), "}", indent, room, space=" ")
    return _parts("[", [_value(inner, deeper, text) for inner in item], "]", indent, room)


def _pairs(items: Mapping[str, JSON], indent: str, text: Callable[[str], str]) -> list[_Written]:
    pairs = []
    for key, inner in items.items():
        start = f"{name(key)} = "
        written, short = _value(inner, indent, text)
        pairs.append((start + written, None if short is None else start + short))
    return pairs


def _parts(
    opening: str, parts: list[_Written], closing: str, indent: str, room: int, *, space: str = ""
) -> _Written:
    """Return values between brackets: on one line where all together fit into `room`, else over several."""
    shorts = [short for _, short in parts if short is not None]
    if len(shorts) == len(parts) and sum(map(len, shorts)) <= room:
        line = f"{opening}{space}{', '.join(shorts)}{space}{closing}"
        if len(line) <= room:
            return line, line
    lines = (f"{indent}{STEP}{written}," for written, _ in parts)
    return "\n".join([opening, *lines, f"{indent}{closing}"]), None


def _scalar(item: JSON) -> str:
    """Return a value that is no text and holds nothing."""
    return "{}" if item == {} and isinstance(item, dict) else json.dumps(item)


class Page:
    """The text as it grows, line by line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.indent = ""

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def line(self, text: str = "") -> None:
        self._lines.append(f"{self.indent}{text}" if text else "")

    @contextmanager
    def block(self, head: str, comment: str = "") -> Iterator[None]:
        """Write what is written meanwhile between braces, one step further in."""
        note = f"  // {comment}" if comment else ""
        self.line(f"{head} {{{note}")
        start = len(self._lines)
        self.indent += STEP
        yield
        self.indent = self.indent.removesuffix(STEP)
        if len(self._lines) == start:
            self._lines.pop()
            self.line(f"{head} {{}}{note}")
        else:
            self.line("}")

    def field(self, key: str, item: JSON, text: Callable[[str], str] = quoted) -> None:
        """Write `key = value`; nothing for null and for what is empty."""
        if item is not None and item not in ("", [], {}, ()):
            self.line(f"{key} = {value(item, self.indent, text)}")

    def types(self, head: str, fields: Mapping[str, str] | None) -> None:
        """Write `head: { name: type, … }`."""
        if fields:
            pairs = ", ".join(f"{name(key)}: {type_name(kind)}" for key, kind in fields.items())
            self.line(f"{head}: {{ {pairs} }}")
