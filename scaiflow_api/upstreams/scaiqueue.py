"""ScaiQueue, ScaiGrid's module of queues: scopes, and the queues in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from scaiflow_api.upstreams.calls import segment
from scaiflow_api.upstreams.failures import UpstreamNonsense
from scaiflow_api.upstreams.grid_client import GridClient
from scaiflow_api.upstreams.grid_envelopes import count, id_of, read_data, text

VIEW: Final = "scaiqueue:view"
MANAGE: Final = "scaiqueue:manage"
BROADCAST: Final = "broadcast"
FIFO: Final = "fifo"
_SCOPES = "/v1/modules/scaiqueue/scopes"


@dataclass(frozen=True, slots=True)
class Scope:
    """A namespace of queues. What ScaiQueue did not say is None; `row` is all that it said."""

    id: str
    slug: str | None
    display_name: str | None
    description: str | None
    row: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of a scope. What ScaiQueue did not say is None; `row` is all that it said."""

    id: str
    scope_id: str
    slug: str | None
    display_name: str | None
    consumer_mode: str
    """ScaiFlow's: `fifo`, `priority`, `deadline` or `broadcast`."""
    max_retries: int | None
    row: Mapping[str, Any] = field(repr=False)


class ScaiQueue(GridClient):
    """ScaiQueue's HTTP API, as far as flows need it. A slug that is taken is an UpstreamRejected with `conflict`."""

    system = "scaiqueue"

    async def scopes(self, credential: SecretStr) -> list[Scope]:
        """Return the tenant's scopes, in ScaiQueue's order; rows without a usable id are left out."""
        rows = await self._list(_SCOPES, credential, needs=VIEW)
        return [scope for row in rows if (scope := scope_of(row)) is not None]

    async def queues(self, credential: SecretStr, scope_id: str) -> list[Queue]:
        """Return the queues of a scope, in ScaiQueue's order. A 404 means that there is no such scope."""
        rows = await self._list(_queues(scope_id), credential, needs=VIEW)
        return [queue for row in rows if (queue := queue_of(row, scope_id)) is not None]

    async def create_scope(
        self,
        credential: SecretStr,
        slug: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
    ) -> Scope:
        """Create a scope. Never repeated once it was sent."""
        body = {"slug": slug, "display_name": display_name or slug, "description": description}
        answer = await self._post(_SCOPES, credential, _given(body), needs=MANAGE)
        scope = scope_of({**_given(body), **read_data(answer)})
        if scope is None:
            raise UpstreamNonsense(self.system, status=answer.status)
        return scope

    async def create_queue(
        self,
        credential: SecretStr,
        scope_id: str,
        slug: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
        consumer_mode: str = FIFO,
        max_retries: int | None = None,
    ) -> Queue:
        """Create a queue in a scope; `consumer_mode` is ScaiFlow's. Never repeated once it was sent.

        ScaiQueue tells the order of messages (`ordering`) from who gets them (`consumer_mode`).
        """
        broadcast = consumer_mode == BROADCAST
        body = {
            "slug": slug,
            "display_name": display_name or slug,
            "description": description,
            "ordering": FIFO if broadcast else consumer_mode,
            "consumer_mode": BROADCAST if broadcast else "competing",
            "max_retries": max_retries,
        }
        answer = await self._post(_queues(scope_id), credential, _given(body), needs=MANAGE)
        queue = queue_of({**_given(body), **read_data(answer)}, scope_id)
        if queue is None:
            raise UpstreamNonsense(self.system, status=answer.status)
        return queue


def scope_of(row: Mapping[str, Any]) -> Scope | None:
    """Read a scope from its row; None for a row without a usable id."""
    scope_id = id_of(row, "id", "scope_id")
    if scope_id is None:
        return None
    return Scope(
        id=scope_id,
        slug=text(row.get("slug")),
        display_name=text(row.get("display_name")),
        description=text(row.get("description")),
        row=row,
    )


def queue_of(row: Mapping[str, Any], scope_id: str) -> Queue | None:
    """Read a queue of a scope from its row; None for a row without a usable id."""
    queue_id = id_of(row, "id", "queue_id")
    if queue_id is None:
        return None
    return Queue(
        id=queue_id,
        scope_id=id_of(row, "scope_id") or scope_id,
        slug=text(row.get("slug")),
        display_name=text(row.get("display_name")),
        consumer_mode=_mode_of(row),
        max_retries=count(row.get("max_retries")),
        row=row,
    )


def _mode_of(row: Mapping[str, Any]) -> str:
    """Return ScaiFlow's one word for ScaiQueue's two; some deployments say the one word themselves."""
    ordering, mode = text(row.get("ordering")), text(row.get("consumer_mode"))
    if BROADCAST in (ordering, mode):
        return BROADCAST
    return ordering or (mode if mode and mode != "competing" else FIFO)


def _queues(scope_id: str) -> str:
    return f"{_SCOPES}/{segment(scope_id)}/queues"


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
