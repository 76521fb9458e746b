"""Bringing one release to life in ScaiGrid: queues, Core, start, model. The API and the command line share it.

Each step can be done again: a deploy that broke off half-way is finished by the next one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from scaiflow_api.domains.deploy.errors import (
    CoreCreateFailed,
    CorePublishFailed,
    CoreStartFailed,
    step_failed,
)
from scaiflow_api.domains.deploy.queues import Provisioned, QueueSetup
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamRejected
from scaiflow_api.upstreams.rate_limits import IMPATIENT, Patience, PatientCaller
from scaiflow_api.upstreams.scaigrid_answers import Core

QUEUES, CORE, RUNNING, PUBLISHED = "queues", "core", "running", "published"
"""The steps, in order; `queues` and `published` only for a flow that asks for them."""
SLUG_CONFLICT = "SLUG_CONFLICT"
_STARTABLE = frozenset({"created", "stopped", "error"})
_NO_SUCH_CALL = frozenset({404, 405})
_SLOWEST_POLL_S = 2.0
_RENAME = "Another Core of this tenant has that name: rename the flow, then deploy it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutLimits:
    """What bounds a rollout."""

    start_timeout_s: float
    """How long a Core may take to run."""
    max_queues: int
    """How many queues one flow may have set up."""

    @classmethod
    def of(cls, settings: ScaiGridSettings) -> "RolloutLimits":
        return cls(start_timeout_s=settings.start_timeout_s, max_queues=settings.max_queues)


@dataclass(frozen=True, slots=True)
class LiveFlow:
    """What there is in ScaiGrid now."""

    core: Core
    queues: Provisioned | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCore:
    """What is known of a flow's Core before a deploy."""

    id: str | None = None
    """The Core of earlier deploys."""
    may_exist: bool = False
    """An earlier deploy may have made one whose id never came back."""


@dataclass(slots=True)
class Progress:
    """How far a rollout came, and who wants to know."""

    before_step: Callable[[str], None] = lambda step: None
    """May raise an AppError to end it there."""
    got_core: Callable[[str], Awaitable[None]] | None = None
    """Told the id of the Core as soon as it is known."""
    done: list[str] = field(default_factory=list)
    core_id: str | None = None

    def begin(self, step: str) -> None:
        self.before_step(step)

    async def note_core(self, core_id: str) -> None:
        self.core_id = core_id
        if self.got_core is not None:
            await self.got_core(core_id)


class Rollout:
    """The steps, with one credential, for one release."""

    def __init__(
        self,
        access: Access,
        release: Release,
        limits: RolloutLimits,
        *,
        poll_s: float = 0.25,
        patience: Patience = IMPATIENT,
    ) -> None:
        self._grid = access.grid
        self._release = release
        self._limits = limits
        self._poll_s = poll_s
        self._ask = PatientCaller(access.credential, patience)
        self._setup = QueueSetup(access, max_queues=limits.max_queues, patience=patience)

    async def run(self, known: KnownCore, progress: Progress) -> LiveFlow:
        """Take every step. Raises the error of the step that failed, whose fields tell how far it came."""
        try:
            return await self._run(known, progress)
        except AppError as failure:
            reached: dict[str, Any] = {"reached": progress.done, "core_id": progress.core_id}
            if self._setup.done is not None:
                reached["scaiqueue_provisioning"] = asdict(self._setup.done)
            failure.fields = {**reached, **failure.fields}
            raise

    async def _run(self, known: KnownCore, progress: Progress) -> LiveFlow:
        release, queues = self._release, None
        if release.queues is not None:
            progress.begin(QUEUES)
            queues = await self._setup.ensure(release.queues)
            progress.done.append(QUEUES)
        progress.begin(CORE)
        core = await self._placed(known)
        await progress.note_core(core.id)
        progress.done.append(CORE)
        progress.begin(RUNNING)
        await self._start(core)
        progress.done.append(RUNNING)
        if release.publishes:
            progress.begin(PUBLISHED)
            core = await self._published(core, release.group_ids)
            progress.done.append(PUBLISHED)
        return LiveFlow(core, queues)

    async def _placed(self, known: KnownCore) -> Core:
        """Put the manifest into the flow's Core: the known one, else a new one, else one that carries the flow's id.

        The last happens when an earlier deploy made a Core and its answer was lost. Raises CoreCreateFailed.
        """
        try:
            return await self._place(known)
        except UpstreamError as failure:
            taken = isinstance(failure, UpstreamRejected) and failure.code == SLUG_CONFLICT
            raise step_failed(CoreCreateFailed, failure, **({"fix": _RENAME} if taken else {})) from None

    async def _place(self, known: KnownCore) -> Core:
        grid, manifest = self._grid, self._release.manifest
        if known.id is not None:
            try:
                return await self._ask(grid.replace_core, known.id, manifest)
            except UpstreamRejected as refusal:
                if refusal.status != 404:
                    raise
        elif known.may_exist and (ours := await self._ours()) is not None:
            return await self._ask(grid.replace_core, ours.id, manifest)
        try:
            return await self._ask(grid.create_core, manifest)
        except UpstreamRejected as refusal:
            if refusal.code != SLUG_CONFLICT:
                raise
            ours = await self._ours()
            if ours is None:
                raise
        return await self._ask(grid.replace_core, ours.id, manifest)

    async def _ours(self) -> Core | None:
        """Find the Core that carries the flow's id."""
        flow_id = self._release.flow_id
        cores = await self._ask(self._grid.cores) if flow_id else []
        return next((core for core in cores if core.source_id == flow_id), None)

    async def _start(self, core: Core) -> None:
        """Wait until the Core runs, having started it if need be. Raises CoreStartFailed."""
        started, pause = False, self._poll_s
        until = time.monotonic() + self._limits.start_timeout_s
        try:
            while core.status != "running":
                if started and core.status == "error":
                    raise _not_running(core, "went into the status 'error'")
                if not started and core.status in _STARTABLE:
                    await self._start_unless_started(core)
                    started = True
                elif time.monotonic() >= until:
                    raise _not_running(core, f"is not running after {self._limits.start_timeout_s:g} s")
                else:
                    # Ever slower: ScaiGrid counts these calls against the caller's rate limit.
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, _SLOWEST_POLL_S)
                core = await self._ask(self._grid.get_core, core.id)
        except UpstreamError as failure:
            raise step_failed(CoreStartFailed, failure, core_id=core.id, core_status=core.status) from None

    async def _start_unless_started(self, core: Core) -> None:
        try:
            await self._ask(self._grid.start_core, core.id)
        except UpstreamRejected as refusal:
            if refusal.status != 409:  # somebody else started it; its status tells how that goes
                raise

    async def _published(self, core: Core, group_ids: Sequence[str]) -> Core:
        """Offer the Core as a chat model, or bring the offer up to date. Raises CorePublishFailed."""
        try:
            if core.published or not await self._published_now(core, group_ids):
                await self._synced(core, group_ids)
            core = await self._ask(self._grid.get_core, core.id)
        except UpstreamError as failure:
            raise step_failed(CorePublishFailed, failure, core_id=core.id) from None
        if not core.published:
            message = "ScaiGrid took the call, but the Core is not published."
            raise CorePublishFailed(message=message, status=None, code=None, core_id=core.id)
        return core

    async def _synced(self, core: Core, group_ids: Sequence[str]) -> None:
        """Bring the offer of a published Core up to date. Raises UpstreamError."""
        try:
            await self._ask(self._grid.sync_core, core.id, group_ids)
        except UpstreamRejected as refusal:
            if refusal.status not in _NO_SUCH_CALL:
                raise
            # By ScaiFlow's own pages publishing again does it; only by ScaiGrid's it takes a call of its own.
            await self._ask(self._grid.publish_core, core.id, group_ids)

    async def _published_now(self, core: Core, group_ids: Sequence[str]) -> bool:
        """Publish a Core; False when it turns out to be published already. Raises UpstreamError."""
        try:
            await self._ask(self._grid.publish_core, core.id, group_ids)
        except UpstreamRejected as refusal:
            # "Already published" has no code of its own; the Core itself says whether that was it.
            if refusal.no_access or not (await self._ask(self._grid.get_core, core.id)).published:
                raise
            return False
        return True


def _not_running(core: Core, what: str) -> CoreStartFailed:
    return CoreStartFailed(
        message=f"The Core {what}.", status=None, code=None, core_id=core.id, core_status=core.status
    )
