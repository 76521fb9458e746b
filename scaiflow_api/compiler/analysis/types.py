"""Type strings of the flow language: `enum[a, b]`, `map<string, string>`, `array<int>?`.

Both bracket forms are read, because flow documents write `map<K, V>` and the language `map[K, V]`; and so are the
language's `string | null`, which is `string?`, and `"a" | "b"`, which is `enum[a, b]`. An unknown name is a type that
the author declared elsewhere.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

_TOKEN = re.compile(r"[\[\]<>,?]|[^\[\]<>,?]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)
_QUOTED = re.compile(r'"[^"]+"')
NULL = "null"
_MARKS = frozenset("[]<>,?")
_CLOSERS = {"[": "]", "<": ">"}
_T = TypeVar("_T")

TYPE_NAMES = frozenset(
    {
        *("string", "int", "float", "bool", "enum", "array", "map", "object", "any"),
        *("date", "datetime", "duration", "money", "email", "url", "uuid"),
    }
)
"""The names that the language itself has."""

_MAX_LENGTH = 4096
_MAX_NESTING = 16


class TypeSyntaxError(Exception):
    """A type string that cannot be read."""


class Type(Struct, frozen=True):
    """A type: its name, its arguments, an enum's choices, and whether null is one of its values."""

    name: str
    arguments: tuple["Type", ...] = ()
    choices: tuple[str, ...] = ()
    optional: bool = False

    def names(self) -> Iterator[str]:
        """Yield its name, and those of its arguments."""
        yield self.name
        for argument in self.arguments:
            yield from argument.names()

    def __str__(self) -> str:
        inner = ", ".join(self.choices or map(str, self.arguments))
        return f"{self.name}{f'[{inner}]' if inner else ''}{'?' if self.optional else ''}"


@lru_cache(maxsize=1024)
def parse_type(text: str) -> Type:
    """Read a type string. Raises TypeSyntaxError."""
    if len(text) > _MAX_LENGTH:
        raise TypeSyntaxError(f"a type has more than {_MAX_LENGTH} characters")
    return _Reader(text).whole()


class _Reader:
    """Reads one type string from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [token for token in map(str.strip, _TOKEN.findall(text)) if token]
        self._position = 0

    def whole(self) -> Type:
        found = self._type(_MAX_NESTING)
        if self._peek() is not None:
            raise self._error(f"{self._peek()!r} is not expected")
        return found

    def _type(self, depth: int) -> Type:
        if depth == 0:
            raise self._error("it is nested too deeply")
        word = self._word()
        union = [part.strip() for part in word.split("|")]
        others = [part for part in union if part != NULL] if len(union) > 1 else union
        optional = others != union
        if not others:
            raise self._error(f"{word!r} is no name of a type")
        if all(map(_QUOTED.fullmatch, others)):
            return Type("enum", (), tuple(part[1:-1] for part in others), self._optional() or optional)
        name = others[0]
        if len(others) > 1 or not _NAME.fullmatch(name):
            raise self._error(f"{word!r} is no name of a type")
        if name == "enum":
            choices = tuple(self._bracketed(self._word))
            return Type(name, (), choices, self._optional() or optional)
        arguments = tuple(self._bracketed(lambda: self._type(depth - 1)))
        return Type(name, arguments, (), self._optional() or optional)

    def _bracketed(self, read: Callable[[], _T]) -> Iterator[_T]:
        closer = _CLOSERS.get(self._peek() or "")
        if closer is None:
            return
        separator: str | None = ","
        while separator == ",":
            self._position += 1
            yield read()
            separator = self._peek()
        if separator != closer:
            raise self._error(f"{closer!r} is missing")
        self._position += 1

    def _word(self) -> str:
        token = self._peek()
        if token is None or token in _MARKS:
            raise self._error("a name is missing")
        self._position += 1
        return token

    def _optional(self) -> bool:
        mark = self._peek() or ""
        found = mark == "?" or (mark[:1] == "|" and mark[1:].strip() == NULL)
        self._position += found
        return found

    def _peek(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _error(self, message: str) -> TypeSyntaxError:
        return TypeSyntaxError(f"type {self._text!r}: {message}")
