"""Calls between the Cores of one tenant.

The called flow runs as an invocation would run it: with an execution and events of its own, which the calling run
does not end when it ends itself. Only the budget of blocks is shared by all runs that an invocation leads to.
"""

import asyncio
import re
from collections.abc import Callable
from typing import TypeAlias

from scaiflow_api.compiler import ManifestError
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.core_table import Core, Cores
from scaiflow_api.localgrid.invocation import Execution, Invocation
from scaiflow_api.localgrid.manifests import find_flow, flow_names, read_verified
from scaiflow_api.localgrid.people import TENANTS
from scaiflow_api.localgrid.runtime.budget import BlockBudget
from scaiflow_api.localgrid.runtime.core_call import CoreRequest
from scaiflow_api.localgrid.runtime.failures import BlockFailed

MAX_CALL_DEPTH = 8
"""Calls inside one another."""

_TARGET = re.compile(r"core://([^/\s]+)/([^/\s]+)")

StartRun: TypeAlias = Callable[[Invocation, BlockBudget, float], asyncio.Task[Execution]]
"""Starts a run that may take so many seconds."""


class CoreCalls:
    """What one run can call. Implements the runtime's `Cores`."""

    def __init__(
        self, cores: Cores, start: StartRun, caller: Invocation, budget: BlockBudget, run_timeout_s: float
    ) -> None:
        self._cores = cores
        self._start = start
        self._caller = caller
        self._budget = budget
        self._run_timeout_s = run_timeout_s

    async def call(self, request: CoreRequest) -> Value:
        """Run a flow to its end and return its output. Raises BlockFailed."""
        invocation = await self._invocation(request)
        task = self._start(invocation, self._budget, min(request.timeout_s, self._run_timeout_s))
        execution = await asyncio.shield(task)
        if execution.error is None:
            return execution.output
        code, message = execution.error["code"], execution.error["message"]
        raise BlockFailed("CORE_CALL_FAILED", f"{request.target} failed with {code}: {message}")

    async def start(self, request: CoreRequest) -> None:
        """Start a run that nobody waits for. Raises BlockFailed."""
        self._start(await self._invocation(request), self._budget, self._run_timeout_s)

    async def _invocation(self, request: CoreRequest) -> Invocation:
        depth = self._caller.depth + 1
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
        if tenant is not None and tenant.id == self._caller.core.tenant_id:
            core = await self._cores.find_slug(tenant.id, found[2])
        if core is None:
            raise BlockFailed("CORE_NOT_FOUND", f"there is no Core {target} in this tenant")
        if core.status != "running":
            raise BlockFailed("CORE_NOT_RUNNING", f"{target} is {core.status!r}; start it first")
        return core
