"""How a method is declared: its name, its parameters with what they accept, and the function behind it."""

import difflib
import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import Struct

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.values import Value, as_whole, type_name

Function: TypeAlias = Callable[[Value], Value]
"""A lambda, ready to be called."""
Given: TypeAlias = Value | Function
"""What stands as an argument."""


class Accepts(enum.Enum):
    """What a parameter takes, in the words of messages."""

    TEXT = "a string"
    WHOLE = "a whole number"
    VALUE = "a value"
    FUNCTION = "a lambda such as `x => x.name`"


class _Required:
    """Marks a parameter without a default."""


REQUIRED: Final = _Required()


class Parameter(Struct, frozen=True):
    """A documented parameter; null for an optional one means its default."""

    name: str
    accepts: Accepts
    default: Value | _Required = REQUIRED

    def read(self, method: str, given: Given) -> Any:
        """Return the argument as the method wants it, or raise OperationError."""
        if given is None and not isinstance(self.default, _Required):
            return self.default
        match self.accepts:
            case Accepts.TEXT if isinstance(given, str):
                return given
            case Accepts.WHOLE if not callable(given) and (whole := as_whole(given)) is not None:
                return whole
            case Accepts.VALUE if not callable(given):
                return given
            case Accepts.FUNCTION if callable(given):
                return given
        what = "a lambda" if callable(given) else type_name(given)
        raise OperationError(f"{method}() needs {self.accepts.value} as `{self.name}`, but got {what}")


class Method(Struct, frozen=True):
    """A method; `run` is called with the meter, the value and one argument per parameter."""

    name: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., Value]

    def bind(self, positional: Sequence[Given], named: Mapping[str, Given]) -> list[Any]:
        """Return one argument per parameter, or raise OperationError naming what is wrong."""
        self.check_places(len(positional), named)
        further = (named.get(parameter.name) for parameter in self.parameters[len(positional) :])
        return [
            parameter.read(self.name, argument)
            for parameter, argument in zip(self.parameters, (*positional, *further), strict=True)
        ]

    def check_places(self, positional: int, named: Collection[str]) -> None:
        """Raise OperationError unless so many arguments and those of these names are what it takes."""
        if positional > len(self.parameters):
            most = len(self.parameters)
            number = "no arguments" if most == 0 else f"at most {most} argument{'s' * (most > 1)}"
            raise OperationError(f"{self.name}() takes {number}, but got {positional}")
        names = [parameter.name for parameter in self.parameters]
        for name in named:
            if name not in names:
                raise OperationError(f"{self.name}() has no argument `{name}`{did_you_mean(name, names)}")
            if name in names[:positional]:
                raise OperationError(f"{self.name}() got its argument `{name}` twice")
        for parameter in self.parameters[positional:]:
            if parameter.name not in named and isinstance(parameter.default, _Required):
                raise OperationError(
                    f"{self.name}() needs {parameter.accepts.value} as its argument `{parameter.name}`"
                )


_Run = TypeVar("_Run", bound=Callable[..., Any])


class MethodTable:
    """The methods of one type, filled by decorating their functions."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def method(self, *parameters: Parameter) -> Callable[[_Run], _Run]:
        """Declare a function as the method of its name; a trailing underscore avoids a Python name."""

        def declare(run: _Run) -> _Run:
            name = run.__name__.rstrip("_")
            self._methods[name] = Method(name, parameters, run)
            return run

        return declare

    def find(self, name: str) -> Method | None:
        return self._methods.get(name)

    def names(self) -> list[str]:
        return list(self._methods)


def did_you_mean(name: str, known: Iterable[str], suffix: str = "") -> str:
    """Return a clause that suggests the known name most like `name`, or nothing."""
    close = difflib.get_close_matches(name[:40], list(known), n=1)
    return f"; did you mean `{close[0]}{suffix}`?" if close else ""
