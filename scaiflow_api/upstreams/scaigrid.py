"""ScaiGrid, the platform that runs compiled flows: who one is there, its models, and its ScaiCore module."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import SecretStr

from scaiflow_api.auth.caller import MANAGE, VIEW
from scaiflow_api.upstreams.answers import Answer
from scaiflow_api.upstreams.calls import Call, segment
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.grid_client import GridClient
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
    read_models,
    read_principal,
)

CORES = "/v1/modules/scaicore/cores"
EVENTS = "/v1/modules/scaicore/events"


class ScaiGrid(GridClient):
    """ScaiGrid's own HTTP API and that of its ScaiCore module."""

    system = "scaigrid"

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
        await self._order("POST", f"{_core(core_id)}/start", credential, needs=MANAGE)

    async def publish_core(self, credential: SecretStr, core_id: str, group_ids: Sequence[str]) -> None:
        """Offer a Core as a chat model. Refused for one that is published already."""
        body = {"group_ids": list(group_ids)}
        await self._order("POST", f"{_core(core_id)}/publish", credential, body, needs=MANAGE)

    async def sync_core(self, credential: SecretStr, core_id: str, group_ids: Sequence[str]) -> None:
        """Bring the published model of a Core up to date; `group_ids` replace the earlier ones."""
        body = {"group_ids": list(group_ids)}
        await self._order("POST", f"{_core(core_id)}/sync", credential, body, needs=MANAGE)

    async def delete_core(self, credential: SecretStr, core_id: str) -> None:
        """Delete a Core; one that is gone already is fine."""
        try:
            await self._order("DELETE", _core(core_id), credential, needs=MANAGE)
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
            deadline_s=timeout_s or self._settings.invoke_timeout_s,
            needs=MANAGE,
            blames_upstream=False,
        )
        return read_execution(await self.send(call))

    async def events(
        self, credential: SecretStr, *, core_id: str | None = None, limit: int, cursor: str | None = None
    ) -> EventPage:
        """Return a page of runtime events."""
        asked = {"core_id": core_id, "limit": limit, "cursor": cursor}
        params = {name: given for name, given in asked.items() if given is not None}
        return read_events(await self._get(EVENTS, credential, params, needs=VIEW))

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


def _core(core_id: str) -> str:
    return f"{CORES}/{segment(core_id)}"
