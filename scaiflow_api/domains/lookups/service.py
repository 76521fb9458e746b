"""Asking ScaiGrid and its modules on a caller's behalf."""

from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from scaiflow_api.auth.caller import Caller
from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.domains.lookups.items import bunker_item, model_item, queue_item, scope_item
from scaiflow_api.kit.recent_answers import RecentAnswers
from scaiflow_api.upstreams.credentials import Access, Credentials
from scaiflow_api.upstreams.scaibunker import Bunker

T = TypeVar("T")
_Asking: TypeAlias = Callable[[Access], Awaitable[Iterable[T]]]
_Drawing: TypeAlias = Callable[[T], dict[str, Any]]

_OVER: Final = frozenset({"terminated", "terminating", "destroyed", "deleted", "failed", "error", "stopped"})


class Lookups:
    """Read-only views of the tenant's ScaiGrid, as JSON `{"data": […]}`.

    They are kept for some seconds per tenant and credential: nobody sees what somebody else was answered.
    Every method raises MissingCredentials, UpstreamError, and what having the tenant's key raises.
    """

    def __init__(self, credentials: Credentials, recent: RecentAnswers[bytes]) -> None:
        self._credentials = credentials
        self._recent = recent

    async def scopes(self, caller: Caller) -> bytes:
        """Return the tenant's scopes."""
        return await self._list(
            caller, ("scopes",), lambda access: access.queues.scopes(access.credential), scope_item
        )

    async def queues(self, caller: Caller, scope_id: str) -> bytes:
        """Return the queues of a scope."""
        return await self._list(
            caller,
            ("queues", scope_id),
            lambda access: access.queues.queues(access.credential, scope_id),
            queue_item,
        )

    async def bunkers(self, caller: Caller) -> bytes:
        """Return the bunkers that run, and the persistent ones that could."""

        async def active(access: Access) -> list[Bunker]:
            return [bunker for bunker in await access.bunkers.bunkers(access.credential) if is_active(bunker)]

        return await self._list(caller, ("bunkers",), active, bunker_item)

    async def models(self, caller: Caller) -> bytes:
        """Return the models that the caller's tenant may use."""
        return await self._list(
            caller, ("models",), lambda access: access.grid.models(access.credential), model_item
        )

    async def _list(self, caller: Caller, what: tuple[str, ...], ask: _Asking[T], draw: _Drawing[T]) -> bytes:
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingCredentials(tenant_id=caller.tenant_id)

        async def get() -> bytes:
            return orjson.dumps({"data": [draw(item) for item in await ask(access)]})

        digest = sha256(access.credential.get_secret_value().encode()).digest()
        return await self._recent.of((caller.tenant_id, access.grid.base_url, digest, what), get)


def is_active(bunker: Bunker) -> bool:
    """Tell whether a bunker runs, or is a persistent one that is not over."""
    return bunker.status == "ready" or (bunker.lifecycle == "persistent" and bunker.status not in _OVER)
