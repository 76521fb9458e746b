"""Carrying out one fixture: invoke its run, answer it where it waits for people, follow it to its end, clean up."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from scaiflow_api.domains.testruns.trail import End
from scaiflow_api.domains.testruns.watch import Watch
from scaiflow_api.flowgraph import TestFixture
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import (
    UpstreamBusy,
    UpstreamCrowded,
    UpstreamError,
    UpstreamLeftAlone,
    UpstreamRejected,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from scaiflow_api.upstreams.rate_limits import Patience, patiently
from scaiflow_api.upstreams.scaigrid_answers import Execution
from scaiflow_api.upstreams.scaigrid_checkpoints import DEBUG_BREAKPOINT, Checkpoint, Resolution

log = structlog.get_logger(__name__)

GO_ON: Resolution = {"decision": "continue"}
"""How a breakpoint is answered."""
_BAD_REQUEST = frozenset({400, 422})
_NOT_WAITING = frozenset({404, 409})
_BEGAN_NOTHING = (
    UpstreamRejected,
    UpstreamBusy,
    UpstreamUnreachable,
    UpstreamCrowded,
    UpstreamLeftAlone,
)
_NO_SUCH_CALL = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fixture's run gave: an output, or an `error` that says why there is none to compare."""

    output: Any = None
    error: str | None = None


class Attempt:
    """Carries out one fixture. Use it once."""

    def __init__(
        self,
        fixture: TestFixture,
        *,
        flow_name: str | None,
        instance_key: str | None,
        access: Access,
        core_id: str,
        watch: Watch,
        timeout_s: float,
        clean_up_s: float,
        busy_wait_s: float,
    ) -> None:
        self._fixture = fixture
        self._flow_name = flow_name
        self._access = access
        self._core_id = core_id
        self._watch = watch
        self._timeout_s = timeout_s
        self._clean_up_s = clean_up_s
        self._patience = Patience(busy_wait_s)
        self._key = instance_key
        self._may_run = False
        self._visits: Counter[str] = Counter()
        self.execution_id: str | None = None
        self.begun = time.monotonic()
        """When the run was last asked for; earlier attempts were answered 429."""

    @property
    def ended(self) -> bool:
        """Whether the run is known to have ended by itself."""
        return self.execution_id is not None and not self._may_run

    async def carry_out(self) -> Outcome:
        """Run the fixture within its time limit. A run that is still under way when this ends is cancelled.

        Where ScaiGrid limits the rate, the fixture waits; its time limit begins when ScaiGrid accepts the call.
        Raises UpstreamError for what would fail every fixture: no access, a lasting rate limit, ScaiGrid gone.
        """
        try:
            run = await patiently(self._invoke, self._patience)
            if run.status in {"SUSPENDED", "RUNNING"} and run.execution_id is not None:
                async with asyncio.timeout(self.begun + self._timeout_s - time.monotonic()):
                    return await self._follow_to_its_end(run.execution_id)
            return self._outcome_of_invocation(run)
        except TimeoutError:
            return Outcome(error=f"the run '{self.execution_id}' did not end within {self._timeout_s:g} s")
        except UpstreamError as failure:
            if not _fails_this_fixture_alone(failure):
                raise
            return Outcome(error=str(as_app_error(failure)))
        finally:
            if self._may_run:
                await self._clean_up()

    async def _invoke(self) -> Execution:
        self._may_run = True
        self.begun = time.monotonic()
        try:
            run = await self._access.grid.invoke(
                self._access.credential,
                self._core_id,
                self._fixture.input,
                flow_name=self._flow_name,
                instance_key=self._key,
                timeout_s=self._timeout_s,
            )
        except _BEGAN_NOTHING:
            self._may_run = False
            raise
        self.execution_id = run.execution_id
        return run

    def _outcome_of_invocation(self, run: Execution) -> Outcome:
        """Return what a run gave, as its invocation answered it."""
        if run.status == "COMPLETED":
            self._may_run = False
            return Outcome(output=run.output)
        if run.status == "FAILED":
            self._may_run = False
            return Outcome(output=run.output, error=_why_failed(run.error))
        named = f"the run '{run.execution_id}'" if run.execution_id is not None else "a run without an id"
        return Outcome(error=f"{named} has not ended: it is {run.status}")

    async def _follow_to_its_end(self, execution_id: str) -> Outcome:
        answered: set[str] = set()
        async with self._watch.following(execution_id) as followed:
            while True:
                await self._watch.news(followed)
                if followed.trail.end is not None:
                    return self._outcome_of_end(followed.trail.end)
                for checkpoint in followed.waiting_at:
                    if checkpoint.id in answered:
                        continue
                    answered.add(checkpoint.id)
                    problem = await self._answer(checkpoint)
                    if problem is not None:
                        return Outcome(error=problem)

    def _outcome_of_end(self, end: End) -> Outcome:
        self._may_run = False
        return Outcome(output=end.output) if end.completed else Outcome(error=_why_failed(end.error))

    # Checkpoints

    async def _answer(self, checkpoint: Checkpoint) -> str | None:
        """Resolve a checkpoint from the fixture; return what is wrong when that cannot be done."""
        name = f"checkpoint '{checkpoint.node_id or checkpoint.id}'"
        resolution = self._resolution_at(checkpoint)
        if resolution is None:
            return f"{name} has no resolution in this fixture"
        access = self._access
        try:
            await patiently(
                lambda: access.checkpoints.resolve(access.credential, checkpoint.id, resolution),
                self._patience,
            )
        except UpstreamRejected as refusal:
            if refusal.status in _BAD_REQUEST:
                return f"{name}: {as_app_error(refusal)}"
            # Otherwise somebody else answered first, and the events tell how it goes on.
            if refusal.status not in _NOT_WAITING or refusal.code == "CORE_NOT_RUNNING":
                raise
        self._watch.hurry()
        return None

    def _resolution_at(self, checkpoint: Checkpoint) -> Any:
        if checkpoint.type == DEBUG_BREAKPOINT:
            return GO_ON
        if checkpoint.node_id is None:
            return None
        given = self._fixture.resolutions.get(checkpoint.node_id)
        if not isinstance(given, list):
            return given
        visit = self._visits[checkpoint.node_id]
        self._visits[checkpoint.node_id] += 1
        return given[visit] if visit < len(given) else None

    # What is left

    async def _clean_up(self) -> None:
        """Cancel the run. It is tried once; a failure is logged and changes no result."""
        with suppress(TimeoutError, UpstreamError):
            async with asyncio.timeout(self._clean_up_s):
                found = self.execution_id
                if found is None and self._key is not None:
                    found = await self._watch.execution_of(self._key)
                if found is not None:
                    self.execution_id = found
                    await self._cancel(found)
                    return
        log.warning("a test's run may be left behind", core_id=self._core_id, execution_id=self.execution_id)

    async def _cancel(self, execution_id: str) -> None:
        access = self._access
        try:
            await access.checkpoints.cancel_execution(access.credential, execution_id)
        except UpstreamRejected as refusal:
            if refusal.status not in _NO_SUCH_CALL:
                if refusal.status == 409:  # it has ended meanwhile
                    return
                raise
            # This ScaiGrid cannot cancel runs, but a run whose checkpoint is cancelled ends as well.
            for checkpoint in await access.checkpoints.pending(access.credential, self._core_id):
                if checkpoint.execution_id == execution_id:
                    await access.checkpoints.cancel(access.credential, checkpoint.id)


def _fails_this_fixture_alone(failure: UpstreamError) -> bool:
    if isinstance(failure, UpstreamTimedOut):
        return True
    return isinstance(failure, UpstreamRejected) and failure.status in _BAD_REQUEST


def _why_failed(error: Any) -> str:
    """Return the sentence in a run's error, which is text or an object with a `message`."""
    told = error.get("message") or error.get("code") if isinstance(error, dict) else error
    return told if isinstance(told, str) and told else "the run failed without saying why"
