"""What the clients of ScaiGrid and of its modules share: one address, and lists of many pages."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import httpx
import orjson
from pydantic import SecretStr

from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.answers import Answer
from scaiflow_api.upstreams.base import Policy, Upstream
from scaiflow_api.upstreams.breaker import Breakers
from scaiflow_api.upstreams.calls import Call
from scaiflow_api.upstreams.errors import ScaiGridNotConfigured
from scaiflow_api.upstreams.failures import TITLES, UpstreamNonsense, UpstreamTimedOut
from scaiflow_api.upstreams.grid_envelopes import read_list

_PAGE = 100


class GridClient(Upstream):
    """A client at a ScaiGrid. Every call carries the credential that pays for it.

    Every method raises UpstreamError for what goes wrong there, and ScaiGridNotConfigured where there is no
    ScaiGrid to call.
    """

    def __init__(
        self,
        http: httpx.AsyncBaseTransport,
        settings: ScaiGridSettings,
        *,
        policy: Policy | None = None,
        breakers: Breakers | None = None,
        party: str | None = None,
    ) -> None:
        policy = policy or Policy(deadline_s=settings.timeout_s, max_bytes=settings.max_answer_bytes)
        super().__init__(http, settings.base_url or "", policy, breakers=breakers, party=party)
        self._settings = settings

    @classmethod
    def beside(cls, other: "GridClient") -> Self:
        """Return a client at the same ScaiGrid, over the same connections, for the same party."""
        return cls(
            other._http, other._settings, policy=other._policy, breakers=other._breakers, party=other._party
        )

    @property
    def base_url(self) -> str:
        """The ScaiGrid's address; empty where there is none."""
        return self._base_url

    def _url(self, path: str) -> str:
        if not self._base_url:
            raise ScaiGridNotConfigured
        return self._base_url + path

    async def _get(
        self,
        path: str,
        credential: SecretStr,
        params: Mapping[str, str | int] | None = None,
        *,
        needs: str | None = None,
    ) -> Answer:
        return await self.send(
            Call(method="GET", url=self._url(path), bearer=credential, params=params or {}, needs=needs)
        )

    async def _post(
        self,
        path: str,
        credential: SecretStr,
        body: Mapping[str, Any] | None = None,
        *,
        needs: str | None = None,
    ) -> Answer:
        content = orjson.dumps(body) if body else None
        return await self.send(
            Call(method="POST", url=self._url(path), bearer=credential, content=content, needs=needs)
        )

    async def _order(
        self,
        method: str,
        path: str,
        credential: SecretStr,
        body: Mapping[str, Any] | None = None,
        *,
        needs: str | None = None,
    ) -> None:
        """Have something done whose answer says no more than that it is. A web page does not say so."""
        content = orjson.dumps(body) if body else None
        call = Call(method=method, url=self._url(path), bearer=credential, content=content, needs=needs)
        answer = await self.send(call)
        if answer.content:
            answer.json()

    async def _list(
        self,
        path: str,
        credential: SecretStr,
        only: Mapping[str, str | int] | None = None,
        *,
        needs: str | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return the rows of all pages, which share one deadline and one bound of bytes.

        The list ends where a cursor repeats.
        """
        rows: list[Mapping[str, Any]] = []
        cursor: str | None = None
        seen: set[str] = set()
        pages = size = 0
        try:
            async with asyncio.timeout(self._policy.deadline_s):
                while True:
                    params = {**(only or {}), "limit": _PAGE, **({"cursor": cursor} if cursor else {})}
                    answer = await self._get(path, credential, params, needs=needs)
                    page, cursor = read_list(answer)
                    rows += page
                    pages += 1
                    size += len(answer.content)
                    # Pages count too: a list may go on without a row.
                    if max(len(rows), pages) > self._settings.max_rows or size > self._policy.max_bytes:
                        raise UpstreamNonsense(self.system, status=200, message=self._too_long())
                    if cursor is None or cursor in seen:
                        return rows
                    seen.add(cursor)
        except TimeoutError:
            raise UpstreamTimedOut(self.system, after_s=self._policy.deadline_s) from None

    def _too_long(self) -> str:
        rows, size = self._settings.max_rows, self._policy.max_bytes
        return f"{TITLES[self.system]}'s list is longer than {rows} rows or {size} bytes."
