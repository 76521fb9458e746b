"""What the blocks of one run remember and which names they can use.

Weakest first: fields of the input (and `input` itself) → flow variables → for each node that ran, in order, the
fields of its result if it declared them, its short id, its result binding, its id → the variables of the loops
around, inner ones hiding outer ones → what is local to one node: its own bindings, then the values of its data
edges.

A flow, a round of a loop and a branch of a parallel block each have a frame. A frame sees what the frames around
it hold, and what it remembers stays in it: only variables and, of a branch, results are handed on.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace

from scaiflow_api.compiler.ir import OutputCandidate
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.lane import Lane
from scaiflow_api.localgrid.runtime.names import Result, is_name, local_names, may_be_given


class Variables:
    """The flow variables, as one sequence of blocks sees them. Nothing hides `input`."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = {name: value for name, value in values.items() if name != "input"}
        self.assigned: dict[str, Value] = {}
        """Those that were assigned here, with their present values."""

    def assign(self, name: str, value: Value) -> None:
        if name != "input":
            self.values[name] = self.assigned[name] = value

    def copy(self) -> "Variables":
        """Return variables of the same values, for blocks that run at the same time as others."""
        return Variables(self.values)

    def merge(self, changed: "Variables") -> None:
        """Take over what was assigned in a copy."""
        for name, value in changed.assigned.items():
            self.assign(name, value)


class Frame:
    """The memory of one sequence of blocks. The outermost one is a flow's; others are made inside it."""

    def __init__(self, run_input: Mapping[str, Value], variables: Variables, lane: Lane) -> None:
        self.variables = variables
        self.lane = lane
        """The one that the blocks of this frame go on."""
        self.iteration: tuple[int, ...] = ()
        """The number of the round in every loop around, from 0, outer loops first."""
        self._input = {**local_names(run_input), "input": dict(run_input)}
        self._loop_variables: ChainMap[str, Value] = ChainMap()
        self._results: ChainMap[str, Result] = ChainMap()
        self._offered: ChainMap[str, Value] = ChainMap()
        self._locals: ChainMap[str, Mapping[str, Value]] = ChainMap()
        self._ran: set[str] = set()

    def round(self, index: int, loop_variables: Mapping[str, Value], *, copies: bool) -> "Frame":
        """Return the frame of a round of a loop that stands in this one; with `copies` its variables are its own."""
        inner = self._inside(self.variables.copy() if copies else self.variables)
        inner.iteration = (*self.iteration, index)
        inner._loop_variables = self._loop_variables.new_child(
            {name: value for name, value in loop_variables.items() if may_be_given(name)}
        )
        return inner

    def branch(self) -> "Frame":
        """Return the frame of a branch of a parallel block that stands in this one."""
        return self._inside(self.variables.copy())

    def join(self, branches: Sequence["Frame"], order: Sequence[str]) -> None:
        """Take over what the branches left.

        Variables come in the order of the branches; results in `order`, those that it does not name last.
        """
        rank = {node_id: position for position, node_id in enumerate(order)}
        results: list[Result] = []
        for branch in branches:
            self.variables.merge(branch.variables)
            self._ran |= branch._ran
            results += branch._own_results()
        for result in sorted(results, key=lambda result: rank.get(result.node_id, len(rank))):
            self.record(result)

    def names(self, local: Mapping[str, Value] | None = None) -> Mapping[str, Value]:
        """Return the present scope; a view that is valid until the run goes on."""
        return ChainMap(
            dict(local or {}),
            *self._loop_variables.maps,
            *self._offered.maps,
            self.variables.values,
            self._input,
        )

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
        self._offered.maps[0].clear()
        for result in self._own_results():
            self._offer(result)

    def value_of(self, node_id: str) -> Value:
        """Return a node's value, null if it did not run or yields none."""
        result = self._results.get(node_id)
        return result.value if result else None

    def output(self, candidates: Iterable[OutputCandidate]) -> Value:
        """Return the value of the first candidate that ran in this frame while none of its successors did."""
        for candidate in candidates:
            if candidate.node_id in self._ran and self._ran.isdisjoint(candidate.successors):
                return self.value_of(candidate.node_id)
        return None

    def keep_local(self, node_id: str, local: Mapping[str, Value]) -> None:
        """Keep what only this node saw, for the conditions on its outgoing edges."""
        self._locals[node_id] = local

    def local_of(self, node_id: str) -> Mapping[str, Value]:
        return self._locals.get(node_id, {})

    def _inside(self, variables: Variables) -> "Frame":
        inner = copy(self)
        inner.variables = variables
        inner._results = self._results.new_child()
        inner._offered = self._offered.new_child()
        inner._locals = self._locals.new_child()
        inner._ran = set()
        return inner

    def _own_results(self) -> list[Result]:
        return list(self._results.maps[0].values())

    def _offer(self, result: Result) -> None:
        self._offered.update((name, value) for name, value in result.names() if is_name(name))
