"""Deploying a flow, from its stored document to a running Core.

No transaction is open while anything else is waited for. The deployment's row tells how far it came: `pending`
before ScaiGrid is called, `running` once there is a Core, then `deployed` or `failed`. A row that a dead process
left unfinished is closed by the next deploy, which also goes on with its Core.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler import Compiled, CompileError, compile_flow
from scaiflow_api.db.audit import record
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.renewal import Held
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.audited import deployed
from scaiflow_api.domains.deploy.errors import (
    CompileFailed,
    DeployInProgress,
    MissingScaiGridCredentials,
    QueueProvisionFailed,
)
from scaiflow_api.domains.deploy.repository import PENDING, DeploymentRepository
from scaiflow_api.domains.deploy.rollout import Rollout
from scaiflow_api.domains.deploy.schemas import DeployAnswer, DeployRequest
from scaiflow_api.domains.deploy.turn import WAIT_S, one_at_a_time
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.ids import new_id
from scaiflow_api.upstreams.credentials import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployLimits:
    """What bounds a deploy."""

    graph: Limits
    start_timeout_s: float
    wait_s: float = WAIT_S
    """How long to wait for another deploy of the same flow."""


class DeployFlow:
    """Deploys one flow at a time per flow, over all processes."""

    def __init__(
        self,
        *,
        db: Database,
        flows: FlowService,
        credentials: Credentials,
        clock: Clock,
        limits: DeployLimits,
    ) -> None:
        self._db = db
        self._flows = flows
        self._credentials = credentials
        self._clock = clock
        self._limits = limits
        self._leases = Leases(db)

    async def deploy(self, caller: Caller, flow_id: str, order: DeployRequest) -> DeployAnswer:
        """Deploy the flow and return what runs now.

        Raises what opening the flow raises, MissingScaiGridCredentials, DeployInProgress, CompileFailed,
        QueueProvisionFailed, and an error of the step at which ScaiGrid failed.
        """
        await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingScaiGridCredentials(tenant_id=caller.tenant_id)
        rollout = Rollout(access.grid, access.credential, start_timeout_s=self._limits.start_timeout_s)
        async with one_at_a_time(self._leases, flow_id, wait_s=self._limits.wait_s) as lease:
            # Opened again: while we waited it may have got a new version, or gone.
            flow = await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
            return await self._deploy(caller, flow, order, rollout, lease)

    async def _deploy(
        self, caller: Caller, flow: Flow, order: DeployRequest, rollout: Rollout, lease: Held
    ) -> DeployAnswer:
        document = await self._flows.document(flow, order.version)
        deployment, known_core = await self._begin(caller, flow, order.version or flow.version)
        try:
            compiled = await self._compile(document)
            manifest = compiled.text.encode()
            _still_ours(lease, flow)
            core = await rollout.place(manifest, flow_id=flow.id, core_id=known_core)
            await self._note_core(deployment, core.id)
            _still_ours(lease, flow)
            await rollout.start(core)
            if _publishes(order, compiled):
                _still_ours(lease, flow)
                core = await rollout.publish(core, _group_ids(order, compiled))
        except AppError as failure:
            now = self._clock.now()
            async with self._db.write() as session:
                await DeploymentRepository(session).failed(deployment, failure.error, now)
                entry = deployed(flow, deployment, "failed", error=failure.error)
                await record(session, caller, entry, now)
            raise
        now = self._clock.now()
        async with self._db.write() as session:
            await DeploymentRepository(session).succeeded(
                deployment, slug=core.published_slug, model_id=core.published_model_id, now=now
            )
            digest = hashlib.sha256(manifest).hexdigest()
            entry = deployed(flow, deployment, "succeeded", core_id=core.id, manifest=digest)
            await record(session, caller, entry, now)
        return DeployAnswer(
            core_id=core.id,
            published_slug=core.published_slug,
            published_model_id=core.published_model_id,
            deployment_id=deployment.id,
            flow_version=deployment.flow_version,
        )

    async def _begin(self, caller: Caller, flow: Flow, version: str) -> tuple[Deployment, str | None]:
        """Write the `pending` row; return it, and the Core of earlier deploys."""
        deployment = Deployment(
            id=new_id("dep"),
            tenant_id=flow.tenant_id,
            flow_id=flow.id,
            flow_version=version,
            flow_name=flow.name,
            status=PENDING,
            deployed_by=caller.subject,
            started_at=self._clock.now(),
        )
        async with self._db.write() as session:
            deployments = DeploymentRepository(session)
            earlier = await deployments.in_core(flow.tenant_id, flow.id)
            await deployments.begin(deployment)
            entry = deployed(flow, deployment, "started")
            await record(session, caller, entry, deployment.started_at)
        return deployment, earlier.core_id if earlier else None

    async def _note_core(self, deployment: Deployment, core_id: str) -> None:
        async with self._db.write() as session:
            await DeploymentRepository(session).reached_core(deployment, core_id)

    async def _compile(self, document: dict[str, Any]) -> Compiled:
        """Compile to YAML, off the event loop. Raises CompileFailed, QueueProvisionFailed, FlowTooLarge."""
        try:
            compiled = await asyncio.to_thread(compile_flow, document, "yaml", limits=self._limits.graph)
        except CompileError as failure:
            raise CompileFailed(diagnostics=[found.as_dict() for found in failure.diagnostics]) from None
        queues = compiled.module.scaiqueue
        if queues:
            raise QueueProvisionFailed(scope=queues.get("scope"), queue=None)
        return compiled


def _still_ours(lease: Held, flow: Flow) -> None:
    if lease.lost:
        raise DeployInProgress(flow_id=flow.id)


def _publishes(order: DeployRequest, compiled: Compiled) -> bool:
    asked = order.publish_as_model
    return compiled.module.metadata.publish_as_model if asked is None else asked


def _group_ids(order: DeployRequest, compiled: Compiled) -> Sequence[str]:
    asked = order.group_ids
    return compiled.module.metadata.model_visibility_group_ids if asked is None else asked
