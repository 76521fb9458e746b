"""Which Cores a caller may look at or run: those of the flows that they may."""

from sqlalchemy import Connection

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound
from scaiflow_api.domains.deploy.repository import flow_of_core
from scaiflow_api.domains.flows.access import check_level
from scaiflow_api.domains.flows.errors import FlowNotFound
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.upstreams.credentials import Access, Credentials

_FLOWS_AT_ONCE = 500


class Cores:
    """The Cores of a caller's own tenant, and the way to them."""

    def __init__(
        self, db: Database, flows: FlowService, deployments: Deployments, credentials: Credentials
    ) -> None:
        self._db = db
        self._flows = flows
        self._deployments = deployments
        self._credentials = credentials

    async def open(self, caller: Caller, core_id: str, level: Level) -> Flow:
        """Return the flow of a Core, if the caller holds `level` on it. Raises CoreNotFound, InsufficientAcl."""

        def find(connection: Connection) -> Flow:
            flow = flow_of_core(connection, caller.tenant_id, core_id)
            if flow is None:
                raise CoreNotFound(core_id=core_id)
            check_level(connection, flow, caller, level)
            return flow

        try:
            return await self._db.ask(find)
        except FlowNotFound:
            raise CoreNotFound(core_id=core_id) from None

    async def visible(self, caller: Caller, core_id: str | None = None) -> frozenset[str]:
        """Return the Cores that the caller sees, or the one that is asked for. Raises CoreNotFound."""
        if core_id is not None:
            await self.open(caller, core_id, Level.VIEW)
            return frozenset({core_id})
        cores = await self._deployments.cores(caller.tenant_id)
        wanted, visible = set(cores.values()), set[str]()
        after = None
        while wanted - visible:
            page, _, after = await self._flows.page(caller, search=None, after=after, size=_FLOWS_AT_ONCE)
            visible.update(flow["id"] for flow in page)
            if after is None:
                break
        return frozenset(core_id for core_id, flow_id in cores.items() if flow_id in visible)

    async def access(self, caller: Caller) -> Access:
        """Return the way to the caller's ScaiGrid. Raises MissingCredentials."""
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingCredentials(tenant_id=caller.tenant_id)
        return access
