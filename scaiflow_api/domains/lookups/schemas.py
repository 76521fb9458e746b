"""Lookups over the wire. What the upstream does not say is left out; what else it says is handed on."""

from pydantic import ConfigDict

from scaiflow_api.web.schemas import AnswerModel


class _Item(AnswerModel):
    model_config = ConfigDict(extra="allow")


class ScopeItem(_Item):
    """A scope of ScaiQueue."""

    id: str
    slug: str | None = None
    display_name: str | None = None
    description: str | None = None


class ScopeList(AnswerModel):
    """The scopes of the tenant."""

    data: list[ScopeItem]


class QueueItem(_Item):
    """A queue of a scope."""

    id: str
    scope_id: str
    slug: str | None = None
    display_name: str | None = None
    consumer_mode: str
    """`fifo`, `priority`, `deadline` or `broadcast`."""
    max_retries: int | None = None


class QueueList(AnswerModel):
    """The queues of a scope."""

    data: list[QueueItem]


class BunkerItem(_Item):
    """A bunker that runs, or a persistent one."""

    bunker_id: str
    image_ref: str | None = None
    lifecycle: str | None = None
    status: str | None = None
    """`ready` when it runs."""


class BunkerList(AnswerModel):
    """The bunkers of the tenant."""

    data: list[BunkerItem]


class ModelItem(_Item):
    """A model of the tenant."""

    slug: str
    display_name: str
    modality: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None


class ModelList(AnswerModel):
    """The models of the tenant."""

    data: list[ModelItem]
