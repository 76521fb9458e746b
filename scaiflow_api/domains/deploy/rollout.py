"""Bringing one manifest to life in ScaiGrid: place it in a Core, start the Core, offer it as a model.

Each step can be done again: a deploy that broke off half-way is finished by the next one.
"""

import asyncio
import time
from collections.abc import Sequence

from pydantic import SecretStr

from scaiflow_api.domains.deploy.errors import (
    CoreCreateFailed,
    CorePublishFailed,
    CoreStartFailed,
    step_failed,
)
from scaiflow_api.upstreams.errors import UpstreamError, UpstreamRejected
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaigrid_answers import Core

SLUG_CONFLICT = "SLUG_CONFLICT"
_STARTABLE = frozenset({"created", "stopped", "error"})
_SLOWEST_POLL_S = 2.0
_RENAME = "Another Core of this tenant has that name: rename the flow, then deploy it again."


class Rollout:
    """The steps, with one credential."""

    def __init__(
        self, scaigrid: ScaiGrid, credential: SecretStr, *, start_timeout_s: float, poll_s: float = 0.25
    ) -> None:
        self._scaigrid = scaigrid
        self._credential = credential
        self._start_timeout_s = start_timeout_s
        self._poll_s = poll_s

    async def place(self, manifest: bytes, *, flow_id: str, core_id: str | None) -> Core:
        """Put the manifest into the flow's Core: the known one, else a new one, else one that carries the flow's id.

        The last happens when an earlier deploy made a Core and its answer was lost. Raises CoreCreateFailed.
        """
        try:
            return await self._place(manifest, flow_id=flow_id, core_id=core_id)
        except UpstreamError as failure:
            taken = isinstance(failure, UpstreamRejected) and failure.code == SLUG_CONFLICT
            raise step_failed(CoreCreateFailed, failure, **({"fix": _RENAME} if taken else {})) from None

    async def _place(self, manifest: bytes, *, flow_id: str, core_id: str | None) -> Core:
        grid, credential = self._scaigrid, self._credential
        if core_id is not None:
            try:
                return await grid.replace_core(credential, core_id, manifest)
            except UpstreamRejected as refusal:
                if refusal.status != 404:
                    raise
        try:
            return await grid.create_core(credential, manifest)
        except UpstreamRejected as refusal:
            if refusal.code != SLUG_CONFLICT:
                raise
            ours = next((core for core in await grid.cores(credential) if core.source_id == flow_id), None)
            if ours is None:
                raise
        return await grid.replace_core(credential, ours.id, manifest)

    async def start(self, core: Core) -> None:
        """Wait until the Core runs, having started it if need be. Raises CoreStartFailed."""
        started, pause = False, self._poll_s
        until = time.monotonic() + self._start_timeout_s
        try:
            while core.status != "running":
                if started and core.status == "error":
                    raise self._not_running(core, "went into the status 'error'")
                if not started and core.status in _STARTABLE:
                    await self._start_unless_started(core)
                    started = True
                elif time.monotonic() >= until:
                    raise self._not_running(core, f"is not running after {self._start_timeout_s:g} s")
                else:
                    # Ever slower: ScaiGrid counts these calls against the caller's rate limit.
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, _SLOWEST_POLL_S)
                core = await self._scaigrid.get_core(self._credential, core.id)
        except UpstreamError as failure:
            raise step_failed(CoreStartFailed, failure, core_id=core.id, core_status=core.status) from None

    async def _start_unless_started(self, core: Core) -> None:
        try:
            await self._scaigrid.start_core(self._credential, core.id)
        except UpstreamRejected as refusal:
            if refusal.status != 409:  # somebody else started it; its status tells how that goes
                raise

    async def publish(self, core: Core, group_ids: Sequence[str]) -> Core:
        """Offer the Core as a chat model, or bring the offer up to date. Raises CorePublishFailed."""
        try:
            if core.published or not await self._published_now(core, group_ids):
                await self._scaigrid.sync_core(self._credential, core.id, group_ids)
            return await self._scaigrid.get_core(self._credential, core.id)
        except UpstreamError as failure:
            raise step_failed(CorePublishFailed, failure, core_id=core.id) from None

    async def _published_now(self, core: Core, group_ids: Sequence[str]) -> bool:
        """Publish a Core; False when it turns out to be published already. Raises UpstreamError."""
        try:
            await self._scaigrid.publish_core(self._credential, core.id, group_ids)
        except UpstreamRejected as refusal:
            # "Already published" has no code of its own; the Core itself says whether that was it.
            if refusal.no_access or not (await self._scaigrid.get_core(self._credential, core.id)).published:
                raise
            return False
        return True

    def _not_running(self, core: Core, what: str) -> CoreStartFailed:
        return CoreStartFailed(
            message=f"The Core {what}.", status=None, code=None, core_id=core.id, core_status=core.status
        )
