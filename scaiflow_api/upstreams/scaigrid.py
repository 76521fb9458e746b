"""ScaiGrid, the platform that runs compiled flows: who one is there, its models, and its ScaiCore module."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from scaiflow_api.auth.caller import MANAGE, VIEW
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.base import Answer, Call, Policy, Upstream, segment
from scaiflow_api.upstreams.errors import ScaiGridNotConfigured, UpstreamRejected, UpstreamTimedOut
from scaiflow_api.upstreams.scaigrid_answers import (
    Core,
    EventPage,
    Execution,
    GridModel,
    GridPrincipal,
    core_of,
    read_core,
    read_events,
    read_execution,
    read_list,
    read_models,
    read_principal,
)

CORES = "/v1/modules/scaicore/cores"
EVENTS = "/v1/modules/scaicore/events"
_PAGE = 100
_MAX_PAGES = 50


class ScaiGrid(Upstream):
    """ScaiGrid's HTTP API. Every call carries the credential that pays for it.

    Every method raises UpstreamError for what goes wrong there, and ScaiGridNotConfigured where there is no
    ScaiGrid to call.
    """

    system = "scaigrid"

    def __init__(
        self, http: httpx.AsyncClient, settings: ScaiGridSettings, *, policy: Policy | None = None
    ) -> None:
        default = Policy(deadline_s=settings.timeout_s, max_bytes=settings.max_answer_bytes)
        super().__init__(http, settings.base_url or "", policy or default)
        self._invoke_timeout_s = settings.invoke_timeout_s

    async def me(self, credential: SecretStr) -> GridPrincipal:
        """Return whom the credential stands for, with the permissions that ScaiGrid grants."""
        return read_principal(await self._get("/v1/auth/me", credential))

    async def models(self, credential: SecretStr) -> list[GridModel]:
        """Return the tenant's models, in ScaiGrid's order."""
        return read_models(await self._list("/v1/models", credential, needs="models:list"))

    async def create_core(self, credential: SecretStr, manifest: bytes) -> Core:
        """Create a Core from a YAML manifest. A 409 with `SLUG_CONFLICT` means that its name is taken."""
        return read_core(await self._send_manifest("POST", CORES, credential, manifest))

    async def replace_core(self, credential: SecretStr, core_id: str, manifest: bytes) -> Core:
        """Replace what a Core runs. A 404 means that it is gone."""
        return read_core(await self._send_manifest("PUT", _core(core_id), credential, manifest))

    async def get_core(self, credential: SecretStr, core_id: str) -> Core:
        return read_core(await self._get(_core(core_id), credential, needs=VIEW))

    async def cores(self, credential: SecretStr) -> list[Core]:
        """Return the tenant's Cores."""
        rows = await self._list(CORES, credential, needs=VIEW)
        return [core for row in rows if (core := core_of(row)) is not None]

    async def start_core(self, credential: SecretStr, core_id: str) -> None:
        """Begin to start a Core; its status tells when it runs."""
        await self._post(f"{_core(core_id)}/start", credential)

    async def publish_core(self, credential: SecretStr, core_id: str, group_ids: Sequence[str]) -> None:
        """Offer a Core as a chat model. Refused for one that is published already."""
        await self._post(f"{_core(core_id)}/publish", credential, {"group_ids": list(group_ids)})

    async def sync_core(self, credential: SecretStr, core_id: str, group_ids: Sequence[str]) -> None:
        """Bring the published model of a Core up to date; `group_ids` replace the earlier ones."""
        await self._post(f"{_core(core_id)}/sync", credential, {"group_ids": list(group_ids)})

    async def delete_core(self, credential: SecretStr, core_id: str) -> None:
        """Delete a Core; one that is gone already is fine."""
        try:
            await self.send(
                Call(method="DELETE", url=self._url(_core(core_id)), bearer=credential, needs=MANAGE)
            )
        except UpstreamRejected as refusal:
            if refusal.status != 404:
                raise

    async def invoke(
        self,
        credential: SecretStr,
        core_id: str,
        value: Mapping[str, Any],
        *,
        flow_name: str | None = None,
        instance_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Execution:
        """Run a Core on an input and wait for what becomes of it. Never repeated once it was sent."""
        body = {"input": value, "flow_name": flow_name, "instance_key": instance_key}
        call = Call(
            method="POST",
            url=self._url(f"{_core(core_id)}/invoke"),
            bearer=credential,
            content=orjson.dumps({name: given for name, given in body.items() if given is not None}),
            deadline_s=timeout_s or self._invoke_timeout_s,
            needs=MANAGE,
        )
        return read_execution(await self.send(call))

    async def events(
        self, credential: SecretStr, *, core_id: str | None = None, limit: int, cursor: str | None = None
    ) -> EventPage:
        """Return a page of runtime events."""
        asked = {"core_id": core_id, "limit": limit, "cursor": cursor}
        params = {name: given for name, given in asked.items() if given is not None}
        return read_events(await self._get(EVENTS, credential, params, needs=VIEW))

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

    async def _post(self, path: str, credential: SecretStr, body: Mapping[str, Any] | None = None) -> None:
        content = orjson.dumps(body) if body else None
        await self.send(
            Call(method="POST", url=self._url(path), bearer=credential, content=content, needs=MANAGE)
        )

    async def _send_manifest(self, method: str, path: str, credential: SecretStr, manifest: bytes) -> Answer:
        return await self.send(
            Call(
                method=method,
                url=self._url(path),
                bearer=credential,
                content=manifest,
                content_type="application/yaml",
                needs=MANAGE,
            )
        )

    async def _list(self, path: str, credential: SecretStr, *, needs: str) -> list[Mapping[str, Any]]:
        """Return the rows of all pages, within one deadline; it ends where a cursor repeats."""
        rows: list[Mapping[str, Any]] = []
        cursor: str | None = None
        seen: set[str] = set()
        try:
            async with asyncio.timeout(self._policy.deadline_s):
                for _ in range(_MAX_PAGES):
                    params: dict[str, str | int] = {"limit": _PAGE, **({"cursor": cursor} if cursor else {})}
                    page, cursor = read_list(await self._get(path, credential, params, needs=needs))
                    rows += page
                    if cursor is None or cursor in seen:
                        break
                    seen.add(cursor)
        except TimeoutError:
            raise UpstreamTimedOut(self.system, after_s=self._policy.deadline_s) from None
        return rows


def _core(core_id: str) -> str:
    return f"{CORES}/{segment(core_id)}"
