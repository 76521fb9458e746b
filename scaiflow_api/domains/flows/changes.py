"""Response bodies for the differences between two documents."""

from typing import Any, Literal

from scaiflow_api.web.schemas import AnswerModel


class ItemChange(AnswerModel):
    """One change inside an item; `old` and `new` only where there is one."""

    path: str
    change: Literal["added", "removed", "changed", "moved"]
    old: Any = None
    new: Any = None


class ItemChanges(AnswerModel):
    """What changed in one item of a list."""

    name: str
    """The id of the node or edge, the name of the variable or fixture."""
    changes: list[ItemChange]


class ListChanges(AnswerModel):
    """What changed in one list; `added` and `removed` hold whole items."""

    added: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    changed: list[ItemChanges]
    reordered: bool


class PartChanges(AnswerModel):
    """What changed in one part of a document."""

    nodes: ListChanges
    edges: ListChanges
    variables: ListChanges
    document: list[ItemChange]
    """What changed outside the lists."""


class Callers(AnswerModel):
    """Whether those who call the flow could break, and by what: one sentence each."""

    breaking: bool
    reasons: list[str]


class FlowChanges(AnswerModel):
    """What differs between two documents, as `scaiflow diff` tells it."""

    equal: bool
    behaviour: PartChanges
    """What can change a run."""
    tests: ListChanges
    layout: PartChanges
    """What only people and the canvas see."""
    callers: Callers
