"""What a deploy would do, without doing it: no row, no lease, and at ScaiGrid nothing but reading.

It reads the flow's Core, or the tenant's Cores where none is known, and for a flow with queues the scopes and the
queues of its scope. What it finds may be different the next moment.
"""

import asyncio
from typing import Any

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler.interface.comparison import Comparison
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.outlook import look_ahead
from scaiflow_api.domains.deploy.schemas import (
    DeploymentItem,
    DeployPlan,
    DeployRequest,
    PlannedCore,
    PlannedPublication,
    PlannedQueues,
)
from scaiflow_api.domains.deploy.service import DeployLimits, access_of, compiled
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.upstreams.credentials import Credentials


class PlanDeploy:
    """Plans deploys."""

    def __init__(
        self, flows: FlowService, deployments: Deployments, credentials: Credentials, limits: DeployLimits
    ) -> None:
        self._flows = flows
        self._deployments = deployments
        self._credentials = credentials
        self._limits = limits

    async def plan(self, caller: Caller, flow_id: str, order: DeployRequest) -> DeployPlan:
        """Return what deploying the flow would do.

        Raises what opening the flow raises, MissingScaiGridCredentials, CompileFailed, QueueProvisionFailed where
        the queues could not be set up, or a general error of ScaiGrid or ScaiQueue.
        """
        flow = await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
        access = await access_of(self._credentials, caller)
        document = await self._flows.document(flow, order.version)
        release = await compiled(document, order, self._limits.graph)
        last = await self._deployments.in_core(flow)
        outlook = await look_ahead(
            access,
            release,
            await self._deployments.known_core(flow),
            max_queues=self._limits.rollout.max_queues,
        )
        return DeployPlan(
            flow_version=order.version or flow.version,
            manifest=release.manifest.decode(),
            diagnostics=[found.as_dict() for found in release.findings],
            core=PlannedCore.model_validate(outlook.core),
            scaiqueue=PlannedQueues.model_validate(outlook.scaiqueue) if outlook.scaiqueue else None,
            publication=PlannedPublication.model_validate(outlook.publication),
            last_deployment=DeploymentItem.of(last) if last else None,
            changes=await self._changes(flow, last, document),
        )

    async def _changes(
        self, flow: Flow, last: Deployment | None, document: dict[str, Any]
    ) -> dict[str, Any] | None:
        if last is None:
            return None
        before = await self._deployments.document(self._flows, flow, last)
        comparison = await asyncio.to_thread(Comparison.of, before, document, limits=self._limits.graph)
        return comparison.as_dict()
