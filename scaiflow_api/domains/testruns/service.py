"""Running a stored flow's fixtures: who may, against which Core, and what the audit log is told."""

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.domains.audit.effects import recording
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound, MissingScaiGridCredentials
from scaiflow_api.domains.flows.audited import flow_entry
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.testruns.runner import FixtureRunner, TestLimits
from scaiflow_api.domains.testruns.schemas import RunTestsRequest, TestReport
from scaiflow_api.domains.testruns.selection import Selection
from scaiflow_api.upstreams.credentials import Credentials


class RunTests:
    """Runs fixtures against a Core that the flow was deployed to."""

    def __init__(
        self,
        *,
        audit: AuditTrail,
        flows: FlowService,
        deployments: Deployments,
        credentials: Credentials,
        limits: TestLimits,
    ) -> None:
        self._audit = audit
        self._flows = flows
        self._deployments = deployments
        self._credentials = credentials
        self._limits = limits

    async def run(self, caller: Caller, flow_id: str, order: RunTestsRequest) -> TestReport:
        """Run the fixtures of the flow's current version and report.

        Raises what opening the flow raises, CoreNotFound, MissingScaiGridCredentials, UpstreamError.
        """
        flow = await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
        if await self._deployments.flow_of_core(flow.tenant_id, order.core_id) != flow.id:
            raise CoreNotFound(core_id=order.core_id)
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingScaiGridCredentials(tenant_id=caller.tenant_id)
        document = await self._flows.document(flow)
        selection = Selection.of(document, order.name_filter)
        if selection.why_none is not None:
            return TestReport(results=[], passed=0, failed=0, message=selection.why_none)
        entry = flow_entry(flow, "flow.tested", details={"core_id": order.core_id, "version": flow.version})
        async with recording(self._audit, caller, entry) as details:
            runner = FixtureRunner(access, order.core_id, self._limits)
            report = await runner.run(document, selection.fixtures)
            details |= {"passed": report.passed, "failed": report.failed}
        return report
