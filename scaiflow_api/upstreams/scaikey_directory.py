"""ScaiKey's lists of people and groups, page by page, read with this service's own token."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx

from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy, Upstream
from scaiflow_api.upstreams.breaker import Breakers
from scaiflow_api.upstreams.calls import Call, segment
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaikey import ScaiKey
from scaiflow_api.upstreams.scaikey_pages import Row, pages
from scaiflow_api.upstreams.scaikey_rows import (
    DirectoryGroup,
    DirectoryMember,
    DirectoryUser,
    read_group,
    read_id,
    read_member,
    read_user,
)

_API = "/api/v1"
_POLICY = Policy(deadline_s=30.0, max_bytes=8 * 1024 * 1024)
_Found = TypeVar("_Found")


class ScaiKeyDirectory(Upstream):
    """Reads the directory. Every method raises UpstreamError; one that is refused has `no_access`."""

    system = "scaikey"

    def __init__(
        self,
        http: httpx.AsyncBaseTransport,
        settings: ScaiKeySettings,
        scaikey: ScaiKey,
        *,
        policy: Policy = _POLICY,
        breakers: Breakers | None = None,
    ) -> None:
        # A party of its own: when the admin API fails, people may still sign in.
        super().__init__(http, settings.base_url or "", policy, breakers=breakers, party="directory sync")
        self._scaikey = scaikey
        self._application = settings.application_id

    async def tenants(self) -> AsyncIterator[Sequence[str]]:
        """Yield the ids of all tenants."""
        async for rows in self._list("/admin/tenants/"):
            yield _each(rows, lambda row: read_id(row, "id", "tenant_id"))

    async def effective_users(self, tenant_id: str) -> AsyncIterator[Sequence[DirectoryUser]]:
        """Yield the people of a tenant who may use this application, directly or through a group."""
        path = f"/tenants/{segment(tenant_id)}/applications/{segment(self._application)}/effective-users"
        async for rows in self._list(path):
            yield _each(rows, lambda row: read_user(row, tenant_id))

    async def groups(self) -> AsyncIterator[Sequence[DirectoryGroup]]:
        """Yield the groups of all tenants."""
        async for rows in self._list("/admin/groups/"):
            yield _each(rows, read_group)

    async def members(self, group: DirectoryGroup) -> AsyncIterator[Sequence[DirectoryMember]]:
        """Yield who is in a group: people and groups inside."""
        async for rows in self._list(f"/admin/groups/{segment(group.id)}/members"):
            yield _each(rows, lambda row: read_member(row, group))

    def _list(self, path: str) -> AsyncIterator[Sequence[Row]]:
        return pages(partial(self._page, path))

    async def _page(self, path: str, page: int, per_page: int) -> Any:
        call = partial(
            Call, method="GET", url=self._base_url + _API + path, params={"page": page, "per_page": per_page}
        )
        try:
            answer = await self.send(call(bearer=await self._scaikey.service_token()))
        except UpstreamRejected as refusal:
            if refusal.status != 401:
                raise
            # The keys may have been rotated, or the client changed: a new token may do.
            self._scaikey.forget_service_token()
            answer = await self.send(call(bearer=await self._scaikey.service_token()))
        return answer.json()


def _each(rows: Sequence[Row], read: Callable[[Row], _Found | None]) -> list[_Found]:
    return [found for found in map(read, rows) if found is not None]
