"""Taking a flow out of ScaiGrid, and deleting it."""

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import record
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.audited import undeployed
from scaiflow_api.domains.deploy.errors import CoreDeleteFailed, MissingScaiGridCredentials, step_failed
from scaiflow_api.domains.deploy.repository import DeploymentRepository
from scaiflow_api.domains.deploy.turn import WAIT_S, one_at_a_time
from scaiflow_api.domains.flows.etag import require_match
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.kit.clock import Clock
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.failures import UpstreamError


class WithdrawFlow:
    """Deletes a flow's Core, a flow, or both; never while the flow is being deployed."""

    def __init__(
        self,
        *,
        db: Database,
        audit: AuditTrail,
        flows: FlowService,
        writer: FlowWriter,
        credentials: Credentials,
        clock: Clock,
        wait_s: float = WAIT_S,
    ) -> None:
        self._db = db
        self._audit = audit
        self._flows = flows
        self._writer = writer
        self._credentials = credentials
        self._clock = clock
        self._wait_s = wait_s
        self._leases = Leases(db)

    async def undeploy(self, caller: Caller, flow_id: str) -> list[str]:
        """Delete the flow's Core and with it the published model; return the ids of what was deleted.

        One that is gone already counts as deleted. Raises what opening the flow raises, DeployInProgress,
        MissingScaiGridCredentials, CoreDeleteFailed, or an error that ScaiGrid has at every step.
        """
        await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
        async with one_at_a_time(self._leases, flow_id, wait_s=self._wait_s):
            flow = await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
            return await self._delete_cores(caller, flow)

    async def delete(self, caller: Caller, flow_id: str, if_match: str | None, *, undeploy: bool) -> None:
        """Delete the flow, with `undeploy` its Core first: should that fail, the flow is still there to try again.

        Raises what opening the flow raises, VersionConflict, and what `undeploy` raises.
        """
        flow = await self._flows.open(caller, flow_id, Level.ADMIN, own_tenant=undeploy)
        if not undeploy:
            await self._writer.delete(caller, flow, if_match)
            return
        async with one_at_a_time(self._leases, flow_id, wait_s=self._wait_s):
            # Opened again: a deploy that we waited for does not change the flow, but others did not wait.
            flow = await self._flows.open(caller, flow_id, Level.ADMIN, own_tenant=True)
            require_match(flow, if_match)
            await self._delete_cores(caller, flow)
            await self._writer.delete(caller, flow, if_match)

    async def _delete_cores(self, caller: Caller, flow: Flow) -> list[str]:
        async with self._db.read() as session:
            deployments = DeploymentRepository(session)
            known = await deployments.cores_of_flow(flow.tenant_id, flow.id)
            attempts = await deployments.history(flow.tenant_id, flow.id, without_core=True, limit=1)
        if not attempts:
            return []
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingScaiGridCredentials(tenant_id=caller.tenant_id)
        try:
            # The answer to a deploy may have been lost, and with it the id of the Core that it made.
            found = known or [
                core.id for core in await access.grid.cores(access.credential) if core.source_id == flow.id
            ]
        except UpstreamError as failure:
            raise step_failed(CoreDeleteFailed, failure, core_id=None) from None
        for core_id in found:
            await self._audit.append(caller, undeployed(flow, core_id, "started"))
            try:
                await access.grid.delete_core(access.credential, core_id)
            except UpstreamError as failure:
                refusal = step_failed(CoreDeleteFailed, failure, core_id=core_id)
                self._audit.append_soon(caller, undeployed(flow, core_id, "failed", error=refusal.error))
                raise refusal from None
            async with self._db.write() as session:
                await DeploymentRepository(session).undeployed(flow.tenant_id, flow.id, core_id)
                await record(session, caller, undeployed(flow, core_id, "succeeded"), self._clock.now())
        return found
