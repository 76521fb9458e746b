"""The two ways in which an expression fails: it cannot be read, or it has no value."""

from typing import Self


class ExpressionSyntaxError(Exception):
    """The text is not an expression or template of the language.

    `position` is the 0-based character offset in the text that was given to the parser. `message` is the whole
    text; `problem` leaves out the position and `hint`, what the author may have meant, which may be empty.
    """

    def __init__(self, problem: str, position: int, hint: str = "") -> None:
        self.problem = problem
        self.hint = hint
        self.position = position
        self.message = f"{problem} at position {position}." + (f" {hint}" if hint else "")
        super().__init__(self.message)

    def moved(self, offset: int) -> Self:
        """Return the same error for a text in which the expression begins at `offset`."""
        return type(self)(self.problem, self.position + offset, self.hint)


class EvaluationError(Exception):
    """The expression has no value in this scope. `source` is the text of the sub-expression at fault."""

    def __init__(self, message: str, source: str) -> None:
        self.message = message
        self.source = source
        super().__init__(message)


class OperationError(Exception):
    """What operators and methods raise; the evaluator, which knows the text, makes it an `EvaluationError`."""
