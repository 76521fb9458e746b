"""`/v1/flows/{flow_id}/run-tests`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound, MissingScaiGridCredentials
from scaiflow_api.domains.flows.errors import DOCUMENT_FAILURES, FlowNotFound, ForeignTenant, InsufficientAcl
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.testruns.runner import TestLimits
from scaiflow_api.domains.testruns.schemas import RunTestsRequest, TestReport
from scaiflow_api.domains.testruns.service import RunTests
from scaiflow_api.kit.metrics import FIXTURES, TEST_RUNS, timed
from scaiflow_api.upstreams.errors import ScaiGridApi, ScaiGridAuth, ScaiGridBusy, ScaiGridNotConfigured
from scaiflow_api.web.deps import KEY_FAILURES, CredentialsDep, Manager, ResourcesDep, acl
from scaiflow_api.web.disconnects import unless_gone
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows", tags=["deploy"], route_class=IdempotentRoute)


async def run_tests_service(resources: ResourcesDep, credentials: CredentialsDep) -> RunTests:
    settings = resources.settings
    return RunTests(
        audit=resources.audit,
        flows=FlowService(resources.db, resources.versions),
        deployments=Deployments(resources.db),
        credentials=credentials,
        limits=TestLimits(
            graph=resources.limits,
            concurrency=settings.scaigrid.test_concurrency,
            timeout_s=settings.scaigrid.test_timeout_s,
            events_wait_s=settings.scaigrid.test_events_wait_s,
            clean_up_s=settings.scaigrid.timeout_s,
        ),
    )


@router.post(
    "/{flow_id}/run-tests",
    response_model=TestReport,
    responses=documented(
        FlowNotFound,
        CoreNotFound,
        InsufficientAcl,
        ForeignTenant,
        MissingScaiGridCredentials,
        ScaiGridAuth,
        ScaiGridApi,
        ScaiGridBusy,
        ScaiGridNotConfigured,
        *KEY_FAILURES,
        *DOCUMENT_FAILURES,
    ),
    openapi_extra=acl(Level.DEPLOY),
)
async def run_tests(
    flow_id: str,
    body: RunTestsRequest,
    request: Request,
    caller: Manager,
    tests: Annotated[RunTests, Depends(run_tests_service)],
) -> TestReport:
    """Run the flow's fixtures against its deployed Core. The flow's effects are real.

    When the client goes away, the fixtures that are under way are cancelled and no other begins, unless the request
    bears an `Idempotency-Key`.
    """
    with timed(TEST_RUNS):
        report = await unless_gone(request, tests.run(caller, flow_id, body))
    FIXTURES.labels("passed").inc(report.passed)
    FIXTURES.labels("failed").inc(report.failed)
    return report
