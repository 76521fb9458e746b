"""What tests of deploys share: orders, limits, and the rows of the history."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.rollout import RolloutLimits
from scaiflow_api.domains.deploy.schemas import DeployRequest
from scaiflow_api.domains.deploy.service import DeployLimits
from scaiflow_api.flowgraph import DEFAULT_LIMITS

Keep = Callable[[dict[str, Any]], Awaitable[Flow]]
ASK = DeployRequest()
QUIETLY = DeployRequest(publish_as_model=False)
MOST_QUEUES = 3


def limits(start_timeout_s: float, wait_s: float = 30.0) -> DeployLimits:
    rollout = RolloutLimits(start_timeout_s=start_timeout_s, max_queues=MOST_QUEUES)
    return DeployLimits(graph=DEFAULT_LIMITS, rollout=rollout, wait_s=wait_s)


async def rows(db: Database) -> list[Deployment]:
    async with db.read() as session:
        return list(await session.scalars(select(Deployment).order_by(Deployment.started_at, Deployment.id)))
