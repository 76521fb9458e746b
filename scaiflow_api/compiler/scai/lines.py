"""Writes names, values and blocks in the look of ScaiCore source.

Texts may hold anything: a name that is no identifier is quoted, and what a terminal would not show as it is
(control characters, marks that change the direction of writing) is escaped.
"""

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from typing import Any, TypeAlias

from scaiflow_api.compiler.manifest.text import MAX_BYTES
from scaiflow_api.expressions import ExpressionSyntaxError, parse, unwrap
from scaiflow_api.flowgraph import FlowTooLarge

JSON: TypeAlias = Any

WIDTH = 100
"""A list or a map that would make its line longer is written over several lines."""
STEP = "  "
MAX_CHARACTERS = MAX_BYTES
"""As long as a manifest may be. A list of numbers may take fifty times its JSON where it stands deep inside."""
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
    """Return a JSON value whose line is indented by `indent`. `text` writes the strings in it.

    Raises FlowTooLarge where it takes more than `MAX_CHARACTERS`.
    """
    writer = _Value(text)
    writer.put(item, indent, "", "")
    return "\n".join(writer.lines)


def arguments(args: Mapping[str, JSON], indent: str, text: Callable[[str], str] = quoted) -> str:
    """Return the arguments of a call, parentheses included. Raises as `value` does."""
    if not args:
        return "()"
    writer = _Value(text)
    writer.put_parts(("(", ")"), _named(args), indent, "", "", WIDTH - len(indent) + len("()"))
    return "\n".join(writer.lines)


class _Value:
    """Writes one value, line by line; what fits on one line is put together again."""

    def __init__(self, text: Callable[[str], str]) -> None:
        self.lines: list[str] = []
        self._text = text
        self._characters = 0

    def put(self, item: JSON, indent: str, before: str, after: str) -> str | None:
        """Add the lines of a value, with something before and after it.

        Return it on one line, without these; None where that is too long wherever the value stands.
        """
        if isinstance(item, str):
            return self._put_text(item, indent, before, after)
        if not item or not isinstance(item, dict | list | tuple):
            short = "{}" if isinstance(item, dict) else json.dumps(item)
            self._add(f"{before}{short}{after}")
            return short
        room = WIDTH - len(indent)
        if isinstance(item, dict):
            return self.put_parts(("{", "}"), _named(item), indent, before, after, room, space=" ")
        return self.put_parts(("[", "]"), zip(repeat(""), item), indent, before, after, room)

    def put_parts(
        self,
        brackets: tuple[str, str],
        parts: Iterable[tuple[str, JSON]],
        indent: str,
        before: str,
        after: str,
        room: int,
        *,
        space: str = "",
    ) -> str | None:
        """Add values, each with what stands before it, between brackets.

        All on one line where they fit into `room`, which is then returned; else over several.
        """
        (opening, closing), deeper = brackets, indent + STEP
        start, characters = len(self.lines), self._characters
        self._add(f"{before}{opening}")
        shorts: list[str] = []
        length = 0
        for name, item in parts:
            write = _SCALARS.get(type(item))
            if write is None:
                short = self.put(item, deeper, f"{deeper}{name}", ",")
            else:
                short = write(item)
                self._add(f"{deeper}{name}{short},")
            length += room + 1 if short is None else len(name) + len(short)
            if length <= room:
                shorts.append(f"{name}{short}")
        if length <= room:
            line = f"{opening}{space}{', '.join(shorts)}{space}{closing}"
            if len(line) <= room:
                del self.lines[start:]
                self._characters = characters
                self._add(f"{before}{line}{after}")
                return line
        self._add(f"{indent}{closing}{after}")
        return None

    def _put_text(self, text: str, indent: str, before: str, after: str) -> str:
        short = self._text(text)
        if "\n" in text and short == quoted(text):
            if sum(map(bool, text.split("\n"))) * len(indent) > MAX_CHARACTERS:
                raise _too_long()
            self._add(f"{before}{long_text(text, indent + STEP)}{after}")
        else:
            self._add(f"{before}{short}{after}")
        return short

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._characters += len(line)
        if self._characters > MAX_CHARACTERS:
            raise _too_long()


def _too_long() -> FlowTooLarge:
    return FlowTooLarge(limit="characters of text", maximum=MAX_CHARACTERS, actual="more")


def _named(items: Mapping[str, JSON]) -> Iterator[tuple[str, JSON]]:
    return ((f"{name(key)} = ", item) for key, item in items.items())


_SCALARS: Mapping[type, Callable[[Any], str]] = {
    int: int.__repr__,
    float: float.__repr__,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}
"""What JSON writes in lists of millions."""


class Page:
    """The text as it grows, line by line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._characters = 0
        self.indent = ""

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def line(self, text: str = "") -> None:
        self._lines.append(f"{self.indent}{text}" if text else "")
        self._characters += len(self.indent) + len(text)
        if self._characters > MAX_CHARACTERS:
            raise _too_long()

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
