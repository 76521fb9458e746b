"""A place in a list of tokens: looking at the current one, going on, and complaining about it.

The methods that complain return the error, for the caller to raise.
"""

from scaiflow_api.expressions.errors import ExpressionSyntaxError
from scaiflow_api.expressions.tokens import Token, TokenKind, tokenize
from scaiflow_api.expressions.wording import found, hint

WORD_OPERATORS = {"or": "||", "and": "&&", "not": "!", "in": "in"}


class TokenCursor:
    """Walks the tokens of one text; the last of them, of kind END, is never passed."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokenize(text))
        self._at = 0

    @property
    def current(self) -> Token:
        return self._tokens[self._at]

    @property
    def at_end(self) -> bool:
        return self.current.kind is TokenKind.END

    @property
    def operator(self) -> str:
        """The operator that the current token spells, or nothing."""
        token = self.current
        if token.kind is TokenKind.NAME:
            return WORD_OPERATORS.get(token.text, "")
        return token.text if token.kind is TokenKind.OPERATOR else ""

    @property
    def last_end(self) -> int:
        """Where the token before the current one ends."""
        return self._tokens[self._at - 1].end

    def following(self, distance: int = 1) -> Token:
        return self._tokens[min(self._at + distance, len(self._tokens) - 1)]

    def advance(self, by: int = 1) -> None:
        self._at += by

    def accept(self, operator: str) -> bool:
        """Pass the current token if it is this operator."""
        accepted = self.current.is_operator(operator)
        self._at += accepted
        return accepted

    def close(self, opening: Token, closing: str, *, or_comma: bool = False) -> None:
        """Pass the closing bracket, which has to come now."""
        if not self.accept(closing):
            wanted = f"`,` or `{closing}`" if or_comma else f"`{closing}`"
            raise self.unexpected(f"{wanted} after the `{opening.text}` at position {opening.start}")

    def no_operand(self) -> ExpressionSyntaxError:
        after = f" after `{self._tokens[self._at - 1].text}`" if self._at else ""
        safe_member = after == " after `?`" and self.current.is_operator(".")
        advice = "`.` alone is enough: a member of null is null." if safe_member else ""
        return self.unexpected(f"a value{after}", advice)

    def unexpected(self, expected: str, advice: str = "") -> ExpressionSyntaxError:
        return self.complaint(
            f"Expected {expected}, but found {found(self.current)}", advice or hint(self.current)
        )

    def complaint(self, problem: str, advice: str = "") -> ExpressionSyntaxError:
        return ExpressionSyntaxError(problem, self.current.start, advice)
