"""Versions and what differs between them, over the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from scaiflow_api.domains.deploy.schemas import DeploymentItem
from scaiflow_api.domains.flows.schemas import Prose
from scaiflow_api.web.schemas import AnswerModel, ApiModel


class FlowVersionItem(AnswerModel):
    """One version of a flow."""

    version: str
    is_current: bool
    last_modified: datetime
    author_id: str
    message: str
    sha256: str
    size: int


class RestoreVersion(ApiModel):
    """Without a `message` the new version says which one it restores."""

    message: Prose | None = None


class ItemChange(AnswerModel):
    """One change inside an item; `old` and `new` only where there is one."""

    path: str
    change: Literal["added", "removed", "changed", "moved"]
    old: Any = None
    new: Any = None


class ItemChanges(AnswerModel):
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


class FlowDifference(FlowChanges):
    """The difference between two versions."""

    from_version: str = Field(alias="from")
    to_version: str = Field(alias="to")


class Drift(AnswerModel):
    """How far the flow has moved from what its Core was given."""

    status: Literal["not_deployed", "in_sync", "drifted"]
    """`drifted`: the current version behaves differently. What only people see is no drift."""
    current_version: str
    deployment: DeploymentItem | None
    """The deploy that the Core has its manifest from; null: not deployed."""
    changes: FlowChanges | None
    """From what is deployed to the current version; null: not deployed."""
