"""What the two ways to run a flow share: what can be seen of a run, what a run remembers, and what it evaluates.

Models are replaced by a value that tells which node was asked. Everything that runs at the same time runs one
after another here: branches in the order of their edges, rounds in the order of their items, each on a copy.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from scaiflow_api.expressions import (
    EvaluationError,
    Expression,
    Template,
    evaluate,
    parse,
    parse_template,
    render,
    truthy,
)

JSON = Any


class RunFailed(Exception):
    """The run failed, or a part of it that a node around may still handle."""


@dataclass
class Trace:
    """What can be seen of a run."""

    ran: list[str] = field(default_factory=list)
    data: list[dict[str, JSON]] = field(default_factory=list)
    """For each item of `ran`: the values that its data edges bound."""
    chosen: list[str] = field(default_factory=list)
    """The conditional edges that were taken."""
    variables: dict[str, JSON] = field(default_factory=dict)
    failed: bool = False
    output: JSON = None
    cut_short: bool = False
    """A branch or a concurrent round failed: how far the others beside it came is up to the runtime.

    Here those before it ended and, unless `fail_fast` is off, those behind it never began. Variables and output
    do not depend on it, because what failed merges nothing.
    """


@dataclass(frozen=True)
class Result:
    """What a node yielded, and the names that its author gave it."""

    value: JSON
    binding: str | None = None
    fields: tuple[str, ...] = ()
    _names: dict[str, JSON] = field(default_factory=dict, repr=False, compare=False)

    def names(self, node_id: str) -> dict[str, JSON]:
        """Return the names under which others find it. They are made once: a result is of one node."""
        if not self._names:
            fields = {name: self.value[name] for name in self.fields} if isinstance(self.value, dict) else {}
            bound = {} if self.binding is None else {self.binding: self.value}
            self._names.update(
                {**fields, node_id.removeprefix("node_"): self.value, **bound, node_id: self.value}
            )
        return self._names


@dataclass
class Memory:
    """What a level of a run can see and change: a flow's, a round's or a branch's."""

    given: JSON
    variables: dict[str, JSON]
    assigned: set[str] = field(default_factory=set)
    results: dict[str, Result] = field(default_factory=dict)
    """In order of running."""
    ran: set[str] = field(default_factory=set)
    local: dict[str, dict[str, JSON]] = field(default_factory=dict)
    """By node: its data values."""
    loop_variables: dict[str, JSON] = field(default_factory=dict)

    def round(self, loop_variables: dict[str, JSON]) -> "Memory":
        """Return a frame of its own over the same variables."""
        return Memory(
            self.given,
            self.variables,
            self.assigned,
            dict(self.results),
            set(self.ran),
            dict(self.local),
            {**self.loop_variables, **loop_variables},
        )

    def copy(self) -> "Memory":
        """Return a frame of its own over variables of its own."""
        copied = self.round({})
        copied.variables, copied.assigned = dict(self.variables), set()
        return copied

    def assign(self, name: str, value: JSON) -> None:
        self.variables[name] = value
        self.assigned.add(name)

    def merge_variables(self, other: "Memory") -> None:
        for name in other.assigned:
            self.assign(name, other.variables[name])

    def bind_data(self, node_id: str, sources: dict[str, str]) -> dict[str, JSON]:
        """Bind port → source for a node that begins to run."""
        yielded = {port: self.results.get(source) for port, source in sources.items()}
        self.local[node_id] = {port: result and result.value for port, result in yielded.items()}
        return self.local[node_id]

    def record(self, node_id: str, result: Result) -> None:
        self.ran.add(node_id)
        self.results[node_id] = result

    def nullify(self, node_id: str) -> None:
        """Take the value of a node back whose edges failed."""
        if node_id in self.results:
            known = self.results[node_id]
            self.results[node_id] = Result(None, known.binding, known.fields)

    def names(self, node_id: str | None) -> dict[str, JSON]:
        """Return the scope of a node; of nobody: of the level."""
        names = {**self.given, "input": self.given, **self.variables}
        for source, result in self.results.items():
            names |= result.names(source)
        return names | self.loop_variables | self.local.get(node_id or "", {})


def answer_of_a_model(node_id: str) -> JSON:
    return {"from": node_id}


def value_of(expression: str, names: dict[str, JSON]) -> JSON:
    """Return an expression's value. Raises RunFailed."""
    try:
        return evaluate(_parsed(expression), names)
    except EvaluationError:
        raise RunFailed from None


def holds(condition: str, names: dict[str, JSON]) -> bool:
    return truthy(value_of(condition, names))


def text_of(template: JSON, names: dict[str, JSON]) -> JSON:
    """Return a template's value. Raises RunFailed."""
    if not isinstance(template, str):
        return template
    try:
        return render(_template(template), names)
    except EvaluationError:
        raise RunFailed from None


@cache
def _parsed(expression: str) -> Expression:
    return parse(expression)


@cache
def _template(template: str) -> Template:
    return parse_template(template)
