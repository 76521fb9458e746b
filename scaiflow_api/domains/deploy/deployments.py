"""What was deployed: the history of a flow, and which Core belongs to which flow."""

from collections.abc import Sequence

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.repository import DeploymentRepository


class Deployments:
    """Reads deployments. Other domains ask here which flow a Core belongs to."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def history(self, flow: Flow, *, without_core: bool, limit: int) -> Sequence[Deployment]:
        """Return the flow's deployments, newest first; those that never got a Core only if asked for."""
        async with self._db.read() as session:
            return await DeploymentRepository(session).history(
                flow.tenant_id, flow.id, without_core=without_core, limit=limit
            )

    async def in_core(self, flow: Flow) -> Deployment | None:
        """Return the deploy that the flow's Core has its manifest from; None: the flow is not deployed.

        It may have failed after that, for example while the Core was published.
        """
        async with self._db.read() as session:
            return await DeploymentRepository(session).in_core(flow.tenant_id, flow.id)

    async def flow_of_core(self, tenant_id: str, core_id: str) -> str | None:
        async with self._db.read() as session:
            return await DeploymentRepository(session).flow_of_core(tenant_id, core_id)

    async def cores(self, tenant_id: str) -> dict[str, str]:
        """Return Core id → flow id of the tenant's flows that are not deleted."""
        async with self._db.read() as session:
            return await DeploymentRepository(session).cores(tenant_id)
