"""What was deployed: the history of a flow, and which Core belongs to which flow."""

from typing import Any

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.repository import DeploymentRepository, Position, flow_of_core
from scaiflow_api.domains.deploy.rollout import KnownCore
from scaiflow_api.domains.deploy.schemas import DeploymentItem
from scaiflow_api.domains.flows.service import FlowService


class Deployments:
    """Reads deployments. Other domains ask here which flow a Core belongs to."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def history(
        self, flow: Flow, *, without_core: bool, after: Position | None = None, limit: int
    ) -> tuple[list[DeploymentItem], Position | None]:
        """Return the flow's deployments, newest first, and where a next page begins.

        Those that never got a Core only if asked for.
        """
        async with self._db.read() as session:
            rows = await DeploymentRepository(session).history(
                flow.tenant_id, flow.id, without_core=without_core, after=after, limit=limit + 1
            )
        shown = [DeploymentItem.of(row, interrupted=not at_work) for row, at_work in rows[:limit]]
        if len(rows) <= limit:
            return shown, None
        last, _ = rows[limit - 1]
        return shown, (last.started_at, last.id)

    async def in_core(self, flow: Flow) -> Deployment | None:
        """Return the deploy that the flow's Core has its manifest from; None: the flow is not deployed.

        It may have failed after that, for example while the Core was published.
        """
        async with self._db.read() as session:
            return await DeploymentRepository(session).in_core(flow.tenant_id, flow.id)

    async def known_core(self, flow: Flow) -> KnownCore:
        """Return what earlier deploys tell of the flow's Core."""
        async with self._db.read() as session:
            return await DeploymentRepository(session).known_core(flow.tenant_id, flow.id)

    async def document(self, flows: FlowService, flow: Flow, deployment: Deployment) -> dict[str, Any]:
        """Return what was deployed, under the flow's name of that time.

        Raises VersionNotFound, or the store's error.
        """
        document = await flows.document(flow, deployment.flow_version)
        return {**document, "name": deployment.flow_name or flow.name}

    async def flow_of_core(self, tenant_id: str, core_id: str) -> str | None:
        """Return the id of the flow that was last deployed to a Core, if it is not deleted."""
        flow = await self._db.ask(lambda connection: flow_of_core(connection, tenant_id, core_id))
        return flow.id if flow else None

    async def cores(self, tenant_id: str) -> dict[str, str]:
        """Return Core id → flow id of the tenant's flows that are not deleted."""
        async with self._db.read() as session:
            return await DeploymentRepository(session).cores(tenant_id)
