"""Events and runs of Cores, for callers who may use the flow that a Core belongs to.

Reading events needs `view` on the flow. Running a Core needs `deploy`: like a test run it has the flow's real
effects, with the caller's credential.
"""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.effects import told
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound
from scaiflow_api.domains.flows.errors import FlowNotFound
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.kit.clock import Clock
from scaiflow_api.upstreams.credentials import Access, Credentials
from scaiflow_api.upstreams.scaigrid_answers import Execution

_NO_EVENTS = b'{"data":{"events":[],"next_cursor":null}}'
_FLOWS_AT_ONCE = 500


class Runs:
    """The ScaiCore proxies."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        flows: FlowService,
        deployments: Deployments,
        credentials: Credentials,
    ) -> None:
        self._db = db
        self._clock = clock
        self._flows = flows
        self._deployments = deployments
        self._credentials = credentials

    async def events(self, caller: Caller, *, core_id: str | None, limit: int, cursor: str | None) -> bytes:
        """Return a page of events as JSON, payloads untouched.

        Without `core_id` it holds what ScaiGrid's page has of Cores whose flows the caller sees, so it may hold
        fewer than `limit`, even none, and still have a next page. Raises CoreNotFound, MissingCredentials,
        UpstreamError.
        """
        if core_id is None:
            visible = await self._visible_cores(caller)
            if not visible:
                return _NO_EVENTS
        else:
            await self._open(caller, core_id, Level.VIEW)
            visible = frozenset({core_id})
        access = await self._access(caller)
        page = await access.grid.events(access.credential, core_id=core_id, limit=limit, cursor=cursor)
        return page.only(visible)

    async def invoke(
        self,
        caller: Caller,
        core_id: str,
        value: Mapping[str, Any],
        *,
        flow_name: str | None,
        instance_key: str | None,
    ) -> Execution:
        """Run a Core. Raises CoreNotFound, InsufficientAcl, MissingCredentials, UpstreamError."""
        flow = await self._open(caller, core_id, Level.DEPLOY)
        access = await self._access(caller)
        entry = Entry(
            tenant_id=flow.tenant_id,
            action="core.invoked",
            target_type="core",
            target_id=core_id,
            flow_id=flow.id,
        )
        async with told(self._db, self._clock, caller, entry) as details:
            run = await access.grid.invoke(
                access.credential, core_id, value, flow_name=flow_name, instance_key=instance_key
            )
            details |= {"execution_id": run.execution_id, "status": run.status}
        return run

    async def _open(self, caller: Caller, core_id: str, level: Level) -> Flow:
        """Return the flow of a Core of the caller's own tenant, if the caller holds `level` on it."""
        flow_id = await self._deployments.flow_of_core(caller.tenant_id, core_id)
        if flow_id is None:
            raise CoreNotFound(core_id=core_id)
        try:
            return await self._flows.open(caller, flow_id, level, own_tenant=True)
        except FlowNotFound:
            raise CoreNotFound(core_id=core_id) from None

    async def _visible_cores(self, caller: Caller) -> frozenset[str]:
        cores = await self._deployments.cores(caller.tenant_id)
        wanted, visible = set(cores.values()), set[str]()
        after = None
        while wanted - visible:
            page, _, after = await self._flows.page(caller, search=None, after=after, size=_FLOWS_AT_ONCE)
            visible.update(flow["id"] for flow in page)
            if after is None:
                break
        return frozenset(core_id for core_id, flow_id in cores.items() if flow_id in visible)

    async def _access(self, caller: Caller) -> Access:
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingCredentials(tenant_id=caller.tenant_id)
        return access
