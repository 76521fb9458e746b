"""Reads the values of number and string tokens."""

import math
import re

from scaiflow_api.expressions.durations import UNIT_SECONDS
from scaiflow_api.expressions.errors import ExpressionSyntaxError
from scaiflow_api.expressions.tokens import Token
from scaiflow_api.expressions.values import INT_MAX

_DIGITS = "[0-9]+(?:_[0-9]+)*"
_INT = re.compile(f"({_DIGITS})([smhdw]?)")
_FLOAT = re.compile(rf"{_DIGITS}(?:\.{_DIGITS})?(?:[eE][+-]?[0-9]+)?")

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_SIMPLE_ESCAPES = {
    '"': '"',
    "'": "'",
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_number(token: Token, *, largest: int = INT_MAX) -> int | float:
    """Return the value of a number token; a duration is its number of seconds.

    Raises ExpressionSyntaxError for a malformed number and for an int above `largest`.
    """
    whole = _INT.fullmatch(token.text)
    if whole is not None:
        digits = whole[1].replace("_", "").lstrip("0")[:20]  # twenty digits are too many already
        value = int(digits or "0") * UNIT_SECONDS.get(whole[2], 1)
        if value > largest:
            raise _too_large(token)
        return value
    if _FLOAT.fullmatch(token.text) is None:
        raise ExpressionSyntaxError(
            f"Expected a number or a duration, but found `{token.text[:40]}`",
            token.start,
            "Numbers look like 1_000 or 2.5; durations are a whole number and one of s, m, h, d, w.",
        )
    fraction = float(token.text.replace("_", ""))
    if math.isinf(fraction):
        raise _too_large(token)
    return fraction


def _too_large(token: Token) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(
        f"Expected a number that fits in 64 bits, but found `{token.text[:40]}`", token.start
    )


def read_string(token: Token) -> str:
    """Return the value of a string token.

    Raises ExpressionSyntaxError for an unknown escape, a NUL and half of a surrogate pair.
    """

    def unescape(match: re.Match[str]) -> str:
        if match[1] is not None:
            return chr(int(match[1], 16))
        if match[2] not in _SIMPLE_ESCAPES:
            raise ExpressionSyntaxError(
                f'Expected an escape such as \\n, \\t, \\\\, \\" or \\u00e9, but found `{match[0]}`',
                token.start + 1 + match.start(),
                "Write a backslash itself as \\\\.",
            )
        return _SIMPLE_ESCAPES[match[2]]

    value = _ESCAPE.sub(unescape, token.text[1:-1])
    if "\0" in value:
        raise ExpressionSyntaxError("Expected text, but found a NUL character in the string", token.start)
    if _SURROGATE.search(value) is None:
        return value
    try:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ExpressionSyntaxError(
            "Expected text, but found half of a surrogate pair in the string", token.start
        ) from None
