"""The bounds of the language and the meter that keeps an evaluation within them.

A hostile expression must end in an error, never in a hang or in exhausted memory: everything that takes time
is charged as steps, and everything that takes room is measured before it is built.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.values import Value, in_range, is_number, type_name

MAX_CHARACTERS = 4096
"""Length of one expression; a template may be longer."""
MAX_NESTING = 64
"""Brackets, arguments, branches and prefix operators inside one another."""

TEXT_PER_STEP = 1024
"""Characters that a built-in reads or writes for one step."""
WALK_PER_STEP = 256
"""Values that are measured for one step."""


class Limits(Struct, frozen=True):
    """Bounds of one call of `evaluate`, `render` or `render_value`."""

    steps: int = 10_000
    result_bytes: int = 1024 * 1024
    """UTF-8 bytes of a text; of other values about the bytes of their compact JSON."""
    result_depth: int = 128
    """Lists and maps inside one another: an input of 64 levels below a literal of 64 levels."""


DEFAULT = Limits()


class _Measured(Struct, frozen=True):
    value: Value
    """Held so that the id under which this is filed is not used again."""
    size: int
    depth: int


class Meter:
    """Counts the steps and measures the values of one evaluation."""

    __slots__ = ("_limits", "_measured", "_steps_left", "held")

    held: Value
    """The left operand of a link in a long chain, on its way there."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._steps_left = limits.steps
        self._measured: dict[int, _Measured] = {}

    def charge(self, steps: int = 1) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise OperationError(f"the evaluation takes more than {self._limits.steps:,} steps")

    def charge_text(self, characters: int) -> None:
        self.charge(characters // TEXT_PER_STEP)

    def check_size(self, size: int) -> None:
        if size > self._limits.result_bytes:
            raise OperationError(f"the result is larger than {self._limits.result_bytes:,} bytes")

    def text_size(self, text: str) -> int:
        """Return the UTF-8 bytes of `text`; of a text beyond the limit at least so many that it is refused."""
        if text.isascii() or len(text) > self._limits.result_bytes:
            return len(text)
        if len(text) < TEXT_PER_STEP:
            return _utf8_length(text)
        known = self._measured.get(id(text))
        if known is None:
            known = self._measured[id(text)] = _Measured(text, _utf8_length(text), 0)
        return known.size

    def measure(self, value: Value) -> int:
        """Return the size of `value`; refuse what is too large, too deep or no value of the language.

        A list or map is walked once and remembered, so that values which share parts (`[x, x]` of `[x, x]` …)
        are measured at their full size without being walked at it.
        """
        size = self._walk(value).size if isinstance(value, list | dict) else self._size_of_scalar(value)
        self.check_size(size)
        return size

    def _walk(self, root: list[Any] | dict[str, Any]) -> _Measured:
        known = self._measured.get(id(root))
        if known is not None:
            return known
        size = depth = walked = 0
        stack: list[Iterator[Value]] = [iter((root,))]
        while stack:
            for value in stack[-1]:
                walked += 1
                if not isinstance(value, list | dict):
                    size += self._size_of_scalar(value) + 2 * isinstance(value, str)
                    self.check_size(size)
                    continue
                known = self._measured.get(id(value))
                size += known.size if known else self._size_of_frame(value)
                depth = max(depth, len(stack) + (known.depth - 1 if known else 0))
                self.check_size(size)
                self._check_depth(depth)
                if not known:
                    stack.append(iter(value.values() if isinstance(value, dict) else value))
                    break
            else:
                stack.pop()
        self.charge(walked // WALK_PER_STEP)
        measured = self._measured[id(root)] = _Measured(root, size, depth)
        return measured

    def _check_depth(self, depth: int) -> None:
        if depth > self._limits.result_depth:
            raise OperationError(f"the result is nested more than {self._limits.result_depth} levels deep")

    def _size_of_frame(self, value: list[Any] | dict[str, Any]) -> int:
        """Return the bytes of brackets, commas and keys."""
        if isinstance(value, list):
            return 2 + len(value)
        self.check_size(4 * len(value))
        if not all(isinstance(key, str) for key in value):
            raise OperationError("the scope holds a map with a key that is no string")
        return 2 + sum(self.text_size(key) + 4 for key in value)

    def _size_of_scalar(self, value: Value) -> int:
        if isinstance(value, str):
            return self.text_size(value)
        if value is None or isinstance(value, bool):
            return 4
        if is_number(value):
            if in_range(value):
                return 8
            raise OperationError("the scope holds a number that is infinite, undefined or wider than 64 bits")
        raise OperationError(f"the scope holds {type_name(value)}, which is no value of the language")


def _utf8_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
