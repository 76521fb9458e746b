"""What a deploy would do, without doing it: no row, no lease, and at ScaiGrid nothing but reading.

It reads the flow's Core, or the tenant's Cores where none is known, and for a flow with queues the scopes and the
queues of its scope. What it finds may be different the next moment.
"""

import asyncio
from typing import Any

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler.interface.comparison import Comparison
from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.queues import QueueSetup
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.domains.deploy.schemas import (
    DeploymentItem,
    DeployPlan,
    DeployRequest,
    PlannedCore,
    PlannedPublication,
    PlannedQueues,
    QueueDifference,
)
from scaiflow_api.domains.deploy.service import DeployLimits, access_of, compiled
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.upstreams.credentials import Access, Credentials
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaigrid_answers import Core


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
        action, core = await self._core(access, release, last.core_id if last else None)
        return DeployPlan(
            flow_version=order.version or flow.version,
            manifest=release.manifest.decode(),
            diagnostics=[found.as_dict() for found in release.findings],
            core=PlannedCore(
                action=action,
                core_id=core.id if core else None,
                status=core.status if core else None,
            ),
            scaiqueue=await self._queues(access, release),
            publication=_publication(release, core),
            last_deployment=DeploymentItem.of(last) if last else None,
            changes=await self._changes(flow, last, document),
        )

    async def _core(self, access: Access, release: Release, known_id: str | None) -> tuple[str, Core | None]:
        """Return what would become of the Core, and the one that is there."""
        if known_id is not None:
            try:
                return "replace", await access.grid.get_core(access.credential, known_id)
            except UpstreamRejected as refusal:
                if refusal.status != 404:
                    raise
        cores = await access.grid.cores(access.credential)
        ours = next((core for core in cores if core.source_id == release.flow_id), None)
        if ours is not None:
            return "adopt", ours
        slug = slugify(release.name)
        return ("conflict" if any(core.slug == slug for core in cores) else "create"), None

    async def _queues(self, access: Access, release: Release) -> PlannedQueues | None:
        if release.queues is None:
            return None
        setup = QueueSetup(access.queues, access.credential, max_queues=self._limits.rollout.max_queues)
        looked = await setup.look(release.queues)
        found = looked.found
        return PlannedQueues(
            scope_slug=release.queues.scope or "",
            scope_id=found.scope_id if found else None,
            queue_ids=found.queue_ids if found else {},
            create=list(looked.missing),
            differences=[QueueDifference.model_validate(one) for one in found.differences] if found else [],
        )

    async def _changes(
        self, flow: Flow, last: Deployment | None, document: dict[str, Any]
    ) -> dict[str, Any] | None:
        if last is None:
            return None
        before = await self._deployments.document(self._flows, flow, last)
        comparison = await asyncio.to_thread(Comparison.of, before, document, limits=self._limits.graph)
        return comparison.as_dict()


def _publication(release: Release, core: Core | None) -> PlannedPublication:
    there, missing = ("sync", "publish") if release.publishes else ("keep", "none")
    return PlannedPublication(
        action=there if core is not None and core.published else missing,
        published_slug=core.published_slug if core else None,
        group_ids=list(release.group_ids) if release.publishes else [],
    )
