"""The names that expressions of one run can see.

Weakest first: fields of the input (and `input` itself) → flow variables → for each node that ran, in order, the
fields of its result if it declared them, its short id, its result binding, its id → what is local to one node:
its own bindings, then the values of its data edges.
"""

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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
    return {name: value for name, value in names.items() if _is_name(name)}


def _is_name(name: str) -> bool:
    return (
        _NAME.fullmatch(name) is not None
        and name not in _NO_SHORT_NAMES
        # Generated flags steer the run: nothing but a generated assignment may set one.
        and not name.startswith(RESERVED_PREFIX)
    )


class Scope:
    """One run's memory."""

    def __init__(self, run_input: Mapping[str, Value], variables: Mapping[str, Value]) -> None:
        self._input = {**local_names(run_input), "input": dict(run_input)}
        self._variables = {name: value for name, value in variables.items() if name != "input"}
        self._results: dict[str, Result] = {}
        self._offered: dict[str, Value] = {}
        self._locals: dict[str, Mapping[str, Value]] = {}
        self._ran: set[str] = set()
        self._output: tuple[Value] | None = None

    def names(self, local: Mapping[str, Value] | None = None) -> Mapping[str, Value]:
        """Return the present scope; a view that is valid until the run goes on."""
        return ChainMap(dict(local or {}), self._offered, self._variables, self._input)

    def assign(self, name: str, value: Value) -> None:
        """Set a flow variable; `output` is also what the run returns. Nothing hides `input`."""
        if name == "output":
            self._output = (value,)
        if name != "input":
            self._variables[name] = value

    @property
    def assigned_output(self) -> tuple[Value] | None:
        """The assigned output in a tuple; None when there was no assignment."""
        return self._output

    def record(self, result: Result) -> None:
        """Note that a node ran and what it yielded."""
        self._ran.add(result.node_id)
        self._results[result.node_id] = result
        self._offer(result)

    def mark_ran(self, node_id: str) -> None:
        """Note that a node ran that yields nothing."""
        self._ran.add(node_id)

    def nullify(self, node_id: str) -> None:
        """Take a node's value back: it failed after it had run, and the run goes on."""
        self._ran.add(node_id)
        known = self._results.get(node_id, Result(node_id, None))
        self._results[node_id] = replace(known, value=None)
        self._offered = {}
        for result in self._results.values():
            self._offer(result)

    def ran(self, node_id: str) -> bool:
        return node_id in self._ran

    def value_of(self, node_id: str) -> Value:
        """Return a node's value, null if it did not run or yields none."""
        result = self._results.get(node_id)
        return result.value if result else None

    def keep_local(self, node_id: str, local: Mapping[str, Value]) -> None:
        """Keep what only this node saw, for the conditions on its outgoing edges."""
        self._locals[node_id] = local

    def local_of(self, node_id: str) -> Mapping[str, Value]:
        return self._locals.get(node_id, {})

    def _offer(self, result: Result) -> None:
        self._offered.update((name, value) for name, value in result.names() if _is_name(name))
