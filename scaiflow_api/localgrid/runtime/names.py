"""Under which names a value can be used in an expression."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scaiflow_api.compiler.ir import RESERVED_PREFIX
from scaiflow_api.expressions import Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NO_SHORT_NAMES = {"input", "output", "result"}
"""Neither input fields nor results offer these; a variable that the author named so keeps its name."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a node yielded, and under which names besides its id."""

    node_id: str
    value: Value
    binding: str | None = None
    fields: tuple[str, ...] = ()

    def names(self) -> Iterable[tuple[str, Value]]:
        """Return the names and values this result offers, weakest first."""
        if isinstance(self.value, dict):
            yield from ((name, self.value[name]) for name in self.fields if name in self.value)
        yield self.node_id.removeprefix("node_"), self.value
        if self.binding:
            yield self.binding, self.value
        yield self.node_id, self.value


def local_names(names: Mapping[str, Value]) -> dict[str, Value]:
    """Return those of `names` that an expression can use as a root name."""
    return {name: value for name, value in names.items() if is_name(name)}


def is_name(name: str) -> bool:
    """Return whether an input field, a result or a binding offers its value under this name."""
    return (
        _NAME.fullmatch(name) is not None
        and name not in _NO_SHORT_NAMES
        and not name.startswith(RESERVED_PREFIX)
    )


def may_be_given(name: str) -> bool:
    """Return whether an author may give this name to a value.

    Nothing hides `input`; and generated flags steer the run: nothing but a generated assignment may set one.
    """
    return name != "input" and not name.startswith(RESERVED_PREFIX)
