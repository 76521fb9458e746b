"""Calls between the Cores of one tenant.

The called flow runs as an invocation would run it: with an execution and events of its own, which the calling run
does not end when it ends itself. Only the budget of blocks is shared by all runs that an invocation leads to.
"""

import asyncio
import re
from typing import Protocol

from scaiflow_api.compiler import ManifestError
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.core_call import CoreRequest
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.scaicore.core_table import Core, Cores
from scaiflow_api.localgrid.scaicore.execution_table import Ancestry, Executions
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.scaicore.live_run import LiveRun
from scaiflow_api.localgrid.scaicore.manifests import find_flow, flow_names, read_verified
from scaiflow_api.localgrid.scaikey.people import TENANTS
from scaiflow_api.localgrid.store import Store

MAX_CALL_DEPTH = 8
"""Calls inside one another."""

_TARGET = re.compile(r"core://([^/\s]+)/([^/\s]+)")


class Starter(Protocol):
    """Starts runs, and knows those that there are."""

    def start(
        self, invocation: Invocation, ancestry: Ancestry | None = None, limit_s: float | None = None
    ) -> LiveRun:
        """Start a run that may take so many seconds, and no longer than any."""
        ...

    def live(self, execution_id: str) -> LiveRun | None:
        """Return a run that has not ended."""
        ...


class CoreCalls:
    """What one run can call. Implements the runtime's `Cores`."""

    def __init__(self, store: Store, runs: Starter, caller: LiveRun) -> None:
        self._cores = Cores(store)
        self._executions = Executions(store)
        self._runs = runs
        self._caller = caller

    async def call(self, request: CoreRequest, place: str) -> Value:
        """Run a flow to its end and return its output; once for each place. Raises BlockFailed."""
        execution = await self._outcome(request, place)
        if execution.error is None:
            return execution.output
        code, message = execution.error["code"], execution.error["message"]
        raise BlockFailed("CORE_CALL_FAILED", f"{request.target} failed with {code}: {message}")

    async def start(self, request: CoreRequest, place: str) -> None:
        """Start a run that nobody waits for; once for each place. Raises BlockFailed."""
        if self._caller.journal.child_at(place) is None:
            await self._start(request, place)

    async def _outcome(self, request: CoreRequest, place: str) -> Execution:
        called_id = self._caller.journal.child_at(place)
        if called_id is None:
            return await self._caller.outcome_of(await self._start(request, place, request.timeout_s))
        live = self._runs.live(called_id)
        return await (self._executions.get(called_id) if live is None else self._caller.outcome_of(live))

    async def _start(self, request: CoreRequest, place: str, limit_s: float | None = None) -> LiveRun:
        invocation = await self._invocation(request)
        self._caller.journal.check_open()
        ancestry = Ancestry(root_id=self._caller.root_id, parent_id=self._caller.id, place=place)
        return self._runs.start(invocation, ancestry, limit_s)

    async def _invocation(self, request: CoreRequest) -> Invocation:
        depth = self._caller.invocation.depth + 1
        if depth > MAX_CALL_DEPTH:
            raise BlockFailed(
                "CALL_DEPTH_EXCEEDED", f"Cores call one another more than {MAX_CALL_DEPTH} levels deep"
            )
        core = await self._find(request.target)
        try:
            module = await asyncio.to_thread(read_verified, core.manifest)
        except ManifestError as error:
            raise BlockFailed("INVALID_SOURCE_IR", f"{request.target}: verifier error: {error}") from None
        if request.version not in {None, module.version}:
            raise BlockFailed(
                "CORE_VERSION_NOT_FOUND",
                f"{request.target} has the version {module.version} here, not {request.version}",
            )
        flow = find_flow(module, request.flow_name)
        if flow is None:
            raise BlockFailed(
                "FLOW_NOT_FOUND",
                f"{request.target} has no flow {request.flow_name!r}; its flows are: {flow_names(module)}",
            )
        return Invocation(
            core=core,
            module=module,
            flow=flow,
            input=request.input,
            instance_key=request.instance_key,
            depth=depth,
        )

    async def _find(self, target: str) -> Core:
        """Return the running Core that a target names; other tenants' Cores do not exist here."""
        found = _TARGET.fullmatch(target)
        if found is None:
            raise BlockFailed(
                "INVALID_TARGET", f"a call's target is 'core://<tenant>/<slug of a Core>', not {target!r}"
            )
        tenant = TENANTS.get(found[1])
        core = None
        if tenant is not None and tenant.id == self._caller.invocation.core.tenant_id:
            core = await self._cores.find_slug(tenant.id, found[2])
        if core is None:
            raise BlockFailed("CORE_NOT_FOUND", f"there is no Core {target} in this tenant")
        if core.status != "running":
            raise BlockFailed("CORE_NOT_RUNNING", f"{target} is {core.status!r}; start it first")
        return core
