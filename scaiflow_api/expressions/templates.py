r"""Templates: text with expressions in `{{ … }}`; `\{{` is a literal `{{`.

The end of an expression is found by its tokens, so that braces of maps and braces in strings do not end it.
"""

import re
from collections.abc import Container
from functools import lru_cache
from typing import Any

from msgspec import Struct

from scaiflow_api.expressions.errors import ExpressionSyntaxError
from scaiflow_api.expressions.limits import MAX_CHARACTERS
from scaiflow_api.expressions.parser import parse
from scaiflow_api.expressions.syntax import Expression
from scaiflow_api.expressions.tokens import WHITESPACE, Token, tokenize

_OPENING = re.compile(r"\\?\{\{")
_PATH = re.compile(r"[ \t]*[A-Za-z0-9_.]+[ \t]*(?=\}\})")
"""What most templates hold; nothing in it can hide the end of the expression."""


class Template(Struct, frozen=True, eq=False):
    """A parsed template."""

    source: str
    pieces: tuple[str | Expression, ...]
    """Literal text, escapes resolved, and expressions, in their order."""
    names: frozenset[str]
    """The free root names of all expressions."""

    @property
    def is_literal(self) -> bool:
        """Whether there is no expression in it."""
        return all(isinstance(piece, str) for piece in self.pieces)

    @property
    def is_single(self) -> bool:
        """Whether it is exactly one expression, whose value then keeps its type."""
        return len(self.pieces) == 1 and isinstance(self.pieces[0], Expression)


def parse_template(text: str) -> Template:
    """Read a template. Raises ExpressionSyntaxError, positions counting from the start of `text`."""
    return _parse_short(text) if len(text) <= _SHORT else _parse(text)


def _parse(text: str) -> Template:
    pieces: list[str | Expression] = []
    literal: list[str] = []
    position = 0
    while (opening := _OPENING.search(text, position)) is not None:
        literal.append(text[position : opening.start()])
        if opening.group().startswith("\\"):
            literal.append("{{")
            position = opening.end()
            continue
        closing = _find_closing(text, opening.end())
        pieces.extend(filter(None, ["".join(literal)]))
        pieces.append(_parse_between(text, opening.end(), closing))
        literal = []
        position = closing + 2
    literal.append(text[position:])
    pieces.extend(filter(None, ["".join(literal)]))
    names = frozenset[str]().union(*(piece.names for piece in pieces if isinstance(piece, Expression)))
    return Template(text, tuple(pieces), names)


_SHORT = 200
_parse_short = lru_cache(maxsize=4096)(_parse)


def template_names(value: Any) -> frozenset[str]:
    """Return the free root names of every template in a JSON value.

    Raises ExpressionSyntaxError for the first string that is no template.
    """
    names: set[str] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            names |= parse_template(item).names
        elif isinstance(item, dict | list):
            stack.extend(reversed(list(item.values() if isinstance(item, dict) else item)))
    return frozenset(names)


def unwrap(text: str, readable: Container[str] = ()) -> tuple[str, bool]:
    """Take the braces off a text that is wholly wrapped in them: `{{ a > 1 }}` gives `("a > 1", True)`.

    Any other text, a malformed one included, is returned as it is, with False; `parse` then has the say.
    `readable` are expressions that were read before: the end of such a one is not looked for.
    """
    body = text.strip(WHITESPACE)
    if not (body.startswith("{{") and body.endswith("}}")):
        return text, False
    bare = body[2:-2].strip(WHITESPACE)
    if bare in readable and len(body) - 4 <= MAX_CHARACTERS:
        return bare, True
    try:
        closing = _find_closing(body, 2)
    except ExpressionSyntaxError:
        return text, False
    if closing + 2 != len(body):
        return text, False
    return body[2:closing].strip(WHITESPACE), True


def _find_closing(text: str, start: int) -> int:
    """Return where the `}}` stands that ends the expression from `start` on."""
    path = _PATH.match(text, start)
    if path is not None and path.end() - start <= MAX_CHARACTERS:
        return path.end()
    depth = 0
    try:
        for token in tokenize(text, start):
            if token.start - start > MAX_CHARACTERS:
                break
            if depth == 0 and _closes(text, token):
                return token.start
            depth += token.is_operator("{") - token.is_operator("}")
    except ExpressionSyntaxError:
        if "}}" in text[start : start + MAX_CHARACTERS]:
            raise
    ends = "}}" in text[start + MAX_CHARACTERS :]
    raise ExpressionSyntaxError(
        f"Expected `}}}}` within {MAX_CHARACTERS:,} characters, but found no end of the `{{{{`",
        start - 2,
        "Write a shorter expression." if ends else r"Write \{{ for two braces that are text.",
    )


def _closes(text: str, token: Token) -> bool:
    """Tell whether the token begins the `}}` outside all maps; a single `}` has no business there."""
    if token.is_operator("}") and not text.startswith("}}", token.start):
        raise ExpressionSyntaxError("Expected `}}`, but found a single `}`", token.start)
    return token.is_operator("}")


def _parse_between(text: str, start: int, end: int) -> Expression:
    inside = text[start:end]
    offset = start + len(inside) - len(inside.lstrip(WHITESPACE))
    try:
        return parse(inside.strip(WHITESPACE))
    except ExpressionSyntaxError as problem:
        raise problem.moved(offset) from None
