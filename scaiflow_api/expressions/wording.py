"""How messages speak about tokens and pieces of text."""

from scaiflow_api.expressions.tokens import Token, TokenKind

_SHOWN = 60

_HINTS = {
    "=": "Use `==` to compare.",
    "=>": "A lambda is written `x => …`, without parentheses, as an argument of a method.",
    "not": "Write `!(a in b)` for `a not in b`.",
    "if": "Write `condition ? a : b`.",
    "is": "Use `==` to compare.",
    "AND": "Write `&&` or `and`.",
    "OR": "Write `||` or `or`.",
    "IN": "Write `in`.",
}


def excerpt(text: str) -> str:
    """Return `text` for a message: on one line, the middle left out when it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 21]} … {line[-18:]}"


def found(token: Token) -> str:
    """Return what to say of a token that stands where it should not."""
    match token.kind:
        case TokenKind.END:
            return "the end of the expression"
        case TokenKind.NUMBER:
            return f"the number {excerpt(token.text)}"
        case TokenKind.STRING:
            return f"the string {excerpt(token.text)}"
        case TokenKind.NAME:
            return f"the word `{excerpt(token.text)}`"
        case TokenKind.OPERATOR:
            return f"`{token.text}`"


def hint(token: Token) -> str:
    """Return what the author of a misplaced token may have meant, or nothing."""
    return _HINTS.get(token.text, "") if token.kind is not TokenKind.STRING else ""
