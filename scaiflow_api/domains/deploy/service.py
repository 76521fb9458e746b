"""Deploying a flow, from its stored document to a running Core.

No transaction is open while anything else is waited for. The deployment's row tells how far it came: `pending`
before ScaiGrid is called, `running` once there is a Core, then `deployed` or `failed`. A row that a dead process
left unfinished is closed by the next deploy, which also goes on with its Core.
"""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler import CompileError
from scaiflow_api.db.audit import record
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.audited import deployed
from scaiflow_api.domains.deploy.errors import CompileFailed, DeployInProgress, MissingScaiGridCredentials
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.domains.deploy.repository import DeploymentRepository
from scaiflow_api.domains.deploy.rollout import KnownCore, LiveFlow, Progress, Rollout, RolloutLimits
from scaiflow_api.domains.deploy.schemas import (
    INTERRUPTED,
    PENDING,
    DeployAnswer,
    DeployRequest,
    QueuesAnswer,
)
from scaiflow_api.domains.deploy.turn import WAIT_S, one_at_a_time
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.ids import new_id
from scaiflow_api.kit.metrics import COMPILES, timed
from scaiflow_api.upstreams.credentials import Access, Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployLimits:
    """What bounds a deploy."""

    graph: Limits
    rollout: RolloutLimits
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
        and an error of the step at which ScaiGrid failed, which tells how far it came.
        """
        await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
        access = await access_of(self._credentials, caller)
        async with one_at_a_time(self._leases, flow_id, wait_s=self._limits.wait_s) as lease:
            # Opened again: while we waited it may have got a new version, or gone.
            flow = await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
            return await self._deploy(caller, flow, order, access, lease)

    async def _deploy(
        self, caller: Caller, flow: Flow, order: DeployRequest, access: Access, lease: HeldLease
    ) -> DeployAnswer:
        document = await self._flows.document(flow, order.version)
        deployment, known = await self._begin(caller, flow, order.version or flow.version)

        def still_ours(_: str) -> None:
            if lease.lost:
                raise DeployInProgress(flow_id=flow.id)

        async def note(core_id: str) -> None:
            async with self._db.write() as session:
                await DeploymentRepository(session).reached_core(deployment, core_id)

        try:
            release = await compiled(document, order, self._limits.graph)
            rollout = Rollout(access, release, self._limits.rollout)
            live = await rollout.run(known, Progress(before_step=still_ours, got_core=note))
        except AppError as failure:
            await self._failed(caller, flow, deployment, failure.error)
            raise
        except (asyncio.CancelledError, Exception):
            # The process is told to end, or a bug: the row says so if it still can, else the next deploy will.
            with suppress(AppError, DBAPIError):
                await self._failed(caller, flow, deployment, INTERRUPTED)
            raise
        await self._succeeded(caller, flow, deployment, release, live)
        return DeployAnswer(
            core_id=live.core.id,
            published_slug=live.core.published_slug,
            published_model_id=live.core.published_model_id,
            scaiqueue_provisioning=QueuesAnswer(**asdict(live.queues)) if live.queues else None,
            deployment_id=deployment.id,
            flow_version=deployment.flow_version,
        )

    async def _begin(self, caller: Caller, flow: Flow, version: str) -> tuple[Deployment, KnownCore]:
        """Write the `pending` row; return it, and what earlier deploys tell of a Core."""
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
            known = await deployments.known_core(flow.tenant_id, flow.id)
            await deployments.begin(deployment)
            entry = deployed(flow, deployment, "started")
            await record(session, caller, entry, deployment.started_at)
        return deployment, known

    async def _failed(self, caller: Caller, flow: Flow, deployment: Deployment, error: str) -> None:
        now = self._clock.now()
        async with self._db.write() as session:
            await DeploymentRepository(session).failed(deployment, error, now)
            await record(session, caller, deployed(flow, deployment, "failed", error=error), now)

    async def _succeeded(
        self, caller: Caller, flow: Flow, deployment: Deployment, release: Release, live: LiveFlow
    ) -> None:
        core, now = live.core, self._clock.now()
        async with self._db.write() as session:
            await DeploymentRepository(session).succeeded(
                deployment, slug=core.published_slug, model_id=core.published_model_id, now=now
            )
            digest = hashlib.sha256(release.manifest).hexdigest()
            entry = deployed(flow, deployment, "succeeded", core_id=core.id, manifest=digest)
            await record(session, caller, entry, now)


async def access_of(credentials: Credentials, caller: Caller) -> Access:
    """Return what pays for a deploy. Raises MissingScaiGridCredentials, or what keeps the key from being had."""
    access = await credentials.of(caller)
    if access is None:
        raise MissingScaiGridCredentials(tenant_id=caller.tenant_id)
    return access


async def compiled(document: dict[str, Any], order: DeployRequest, limits: Limits) -> Release:
    """Compile a stored document, off the event loop. Raises CompileFailed, FlowTooLarge."""
    try:
        with timed(COMPILES, format="yaml"):
            return await asyncio.to_thread(
                Release.of,
                document,
                publish_as_model=order.publish_as_model,
                group_ids=order.group_ids,
                limits=limits,
            )
    except CompileError as failure:
        raise CompileFailed(diagnostics=[found.as_dict() for found in failure.diagnostics]) from None
