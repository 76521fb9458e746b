"""Cuts the text of an expression into tokens. Numbers and strings stay text here; `literals` reads them."""

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple

from scaiflow_api.expressions.errors import ExpressionSyntaxError

WHITESPACE = " \t\r\n"


class TokenKind(enum.Enum):
    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    OPERATOR = "operator"
    END = "end"


class Token(NamedTuple):
    """A piece of the text; `start` and `end` are offsets in it."""

    kind: TokenKind
    text: str
    start: int
    end: int

    def is_operator(self, text: str) -> bool:
        return self.kind is TokenKind.OPERATOR and self.text == text


# A number takes all letters that touch it, so that `12abc` is one wrong number and not two tokens.
# The quantifiers of strings are possessive: an unclosed quote costs one pass.
_TOKEN = re.compile(
    r"""
    [ \t\r\n]*+
  (?:
      (?P<number> [0-9][0-9_]* (?:\.[0-9][0-9_]*)? (?:[eE][+-]?[0-9]+)? [A-Za-z0-9_]* )
    | (?P<name>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<string> "(?:[^"\\\n]++|\\.)*+" | '(?:[^'\\\n]++|\\.)*+' )
    | (?P<operator> => | == | != | <= | >= | && | \|\| | \?\? | [-+*/%()\[\]{},.:?!<>=] )
    | (?P<end>    \Z )
  )
    """,
    re.VERBOSE,
)

_KINDS = {kind.value: kind for kind in TokenKind}

_HINTS = {
    "&": "Write `&&` or `and`.",
    "|": "Write `||` or `or`; what are filters elsewhere are methods here, `name.upper()`.",
    "^": "There is no `^`; multiply instead.",
    "$": "A name is written without `$`.",
    "@": "A name is written without `@`.",
    ";": "An expression has no statements; leave out `;`.",
    "`": "Write strings in '…' or \"…\".",
    "“": "Write strings in straight quotes, '…' or \"…\".",
    "”": "Write strings in straight quotes, '…' or \"…\".",
    "‘": "Write strings in straight quotes, '…' or \"…\".",  # noqa: RUF001 - the very character meant
    "’": "Write strings in straight quotes, '…' or \"…\".",  # noqa: RUF001 - the very character meant
}


def tokenize(text: str, position: int = 0) -> Iterator[Token]:
    """Yield the tokens of `text` from `position` on, the last one of kind END.

    Raises ExpressionSyntaxError at a character that begins no token and at a string without an end.
    """
    while (match := _TOKEN.match(text, position)) is not None:
        kind = match.lastgroup or ""
        start, position = match.span(kind)
        yield Token(_KINDS[kind], match[kind], start, position)
        if kind == "end":
            return
    raise _unexpected(text, position)


def _unexpected(text: str, position: int) -> ExpressionSyntaxError:
    position += len(text[position:]) - len(text[position:].lstrip(WHITESPACE))
    character = text[position]
    if character in "\"'":
        return ExpressionSyntaxError(
            f"Expected a closing {character} on the same line for the string that begins",
            position,
            "Write a line break inside a string as \\n.",
        )
    shown = f"`{character}`" if character.isprintable() else f"the character U+{ord(character):04X}"
    return ExpressionSyntaxError(
        f"Expected a value or an operator, but found {shown}", position, _HINTS.get(character, "")
    )
