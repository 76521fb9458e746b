"""What ScaiGrid's answers say, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from scaiflow_api.upstreams.answers import Answer
from scaiflow_api.upstreams.failures import UpstreamNonsense
from scaiflow_api.upstreams.grid_envelopes import count, id_of, read_data, text


@dataclass(frozen=True, slots=True)
class GridPrincipal:
    """Whom ScaiGrid takes a token for, and what it lets them do."""

    id: str | None
    tenant_id: str | None
    roles: frozenset[str]
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class GridModel:
    """A model that the tenant may use. What ScaiGrid did not say is None; `row` is all that it said."""

    slug: str
    display_name: str
    modality: str | None
    context_window: int | None
    max_output_tokens: int | None
    row: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Core:
    """A compiled flow that lives in ScaiGrid."""

    id: str
    slug: str | None
    name: str | None
    status: str | None
    metadata: Mapping[str, Any] = field(repr=False)

    @property
    def source_id(self) -> str | None:
        """The flow that it was compiled from."""
        nested = self.metadata.get("scaiflow_meta")
        places = (self.metadata, nested if isinstance(nested, Mapping) else {})
        return next((found for place in places if (found := text(place.get("source_id")))), None)

    @property
    def published(self) -> bool:
        return self.metadata.get("published") is True

    @property
    def published_slug(self) -> str | None:
        return text(self.metadata.get("published_slug")) if self.published else None

    @property
    def published_model_id(self) -> str | None:
        return text(self.metadata.get("published_model_id")) if self.published else None


@dataclass(frozen=True, slots=True)
class Execution:
    """A run of a Core, as far as it came within the call."""

    execution_id: str | None
    status: str
    """`COMPLETED`, `SUSPENDED` (at a checkpoint), `FAILED` or `RUNNING`."""
    output: Any
    checkpoint_id: str | None
    error: Any


@dataclass(frozen=True, slots=True)
class EventPage:
    """Runtime events. `content` is the answer as it came, for handing it on untouched."""

    content: bytes = field(repr=False)
    events: list[dict[str, Any]]
    next_cursor: str | None

    def only(self, core_ids: frozenset[str]) -> bytes:
        """Return the page as JSON without the events of other Cores; untouched where there are none."""
        kept = [event for event in self.events if event.get("core_id") in core_ids]
        if len(kept) == len(self.events):
            return self.content
        return orjson.dumps({"data": {"events": kept, "next_cursor": self.next_cursor}})


def read_principal(answer: Answer) -> GridPrincipal:
    data = read_data(answer)
    return GridPrincipal(
        id=text(data.get("id")),
        tenant_id=text(data.get("tenant_id")),
        roles=_strings(data.get("roles")),
        permissions=_strings(data.get("permissions")),
    )


def read_models(rows: list[Mapping[str, Any]]) -> list[GridModel]:
    """Read native rows, which have a `slug`, and OpenAI's, which have an `id`; what has neither is left out."""
    found = []
    for row in rows:
        slug = text(row.get("slug")) or text(row.get("id"))
        if slug is not None:
            found.append(
                GridModel(
                    slug=slug,
                    display_name=text(row.get("display_name")) or slug,
                    modality=text(row.get("modality")),
                    context_window=count(row.get("context_window")),
                    max_output_tokens=count(row.get("max_output_tokens")),
                    row=row,
                )
            )
    return found


def read_core(answer: Answer) -> Core:
    core = core_of(read_data(answer))
    if core is None:
        raise UpstreamNonsense(answer.system, status=answer.status)
    return core


def core_of(row: Mapping[str, Any]) -> Core | None:
    """Read a Core from its row; None for a row without a usable id."""
    core_id = id_of(row, "id", "core_id")
    metadata = row.get("metadata")
    if core_id is None:
        return None
    return Core(
        id=core_id,
        slug=text(row.get("slug")),
        name=text(row.get("name")),
        status=text(row.get("status")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def read_execution(answer: Answer) -> Execution:
    data = read_data(answer)
    status = text(data.get("status"))
    if status is None:
        raise UpstreamNonsense(answer.system, status=answer.status)
    return Execution(
        execution_id=id_of(data, "execution_id"),
        status=status,
        output=data.get("output"),
        checkpoint_id=text(data.get("checkpoint_id")),
        error=data.get("error"),
    )


def read_events(answer: Answer) -> EventPage:
    data = read_data(answer)
    events = data.get("events")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise UpstreamNonsense(answer.system, status=answer.status)
    return EventPage(answer.content, events, text(data.get("next_cursor")))


def _strings(value: object) -> frozenset[str]:
    return (
        frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()
    )
