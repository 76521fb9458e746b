"""Questions about deployments, as SQL. Every one names its tenant."""

from datetime import datetime
from typing import TypeAlias, cast

from sqlalchemy import Connection, Select, Table, and_, bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.clock import now_ms
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.models.lease import Lease
from scaiflow_api.db.prepared import Prepared, entity
from scaiflow_api.domains.deploy.rollout import KnownCore
from scaiflow_api.domains.deploy.schemas import (
    DEPLOYED,
    FAILED,
    INTERRUPTED,
    RUNNING,
    UNDEPLOYED,
    UNFINISHED,
)
from scaiflow_api.domains.deploy.turn import lease_name

Position: TypeAlias = tuple[datetime, str]
"""The `started_at` and the id of a row."""

_LOST = (INTERRUPTED, "scaicore_create_failed", "scaigrid_timeout")
"""How a deploy may have ended whose Core was made, while its answer never came."""
_ROWS = cast("Table", Deployment.__table__).c
_FLOWS = cast("Table", Flow.__table__)
_LAST_DEPLOYED = (
    select(_ROWS.flow_id)
    .where(_ROWS.tenant_id == bindparam("tenant_id"), _ROWS.core_id == bindparam("core_id"))
    .order_by(_ROWS.started_at.desc(), _ROWS.id.desc())
    .limit(1)
)
_FLOW_OF_CORE = Prepared(
    select(_FLOWS).where(
        _FLOWS.c.id == _LAST_DEPLOYED.scalar_subquery(),
        _FLOWS.c.tenant_id == bindparam("tenant_id"),
        _FLOWS.c.deleted_at.is_(None),
    )
)


def flow_of_core(connection: Connection, tenant_id: str, core_id: str) -> Flow | None:
    """Return the flow that was last deployed to a Core, if it is not deleted. Asked before every call of one."""
    row = _FLOW_OF_CORE.first(connection, {"tenant_id": tenant_id, "core_id": core_id})
    return entity(Flow, row) if row else None


class DeploymentRepository:
    """Rows of deployments within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def begin(self, deployment: Deployment) -> None:
        """Add a new attempt. Unfinished ones of the same flow are over: only one runs at a time."""
        await self._session.execute(
            update(Deployment)
            .where(
                Deployment.tenant_id == deployment.tenant_id,
                Deployment.flow_id == deployment.flow_id,
                Deployment.status.in_(UNFINISHED),
            )
            .values(status=FAILED, error=INTERRUPTED, finished_at=deployment.started_at)
            .execution_options(synchronize_session=False)
        )
        self._session.add(deployment)

    async def reached_core(self, deployment: Deployment, core_id: str) -> None:
        """Note the Core, so that it is known whatever happens next."""
        await self._change(deployment, status=RUNNING, core_id=core_id)

    async def succeeded(
        self, deployment: Deployment, *, slug: str | None, model_id: str | None, now: datetime
    ) -> None:
        await self._change(
            deployment, status=DEPLOYED, published_slug=slug, published_model_id=model_id, finished_at=now
        )

    async def failed(self, deployment: Deployment, error: str, now: datetime) -> None:
        await self._change(deployment, status=FAILED, error=error, finished_at=now)

    async def history(
        self,
        tenant_id: str,
        flow_id: str,
        *,
        without_core: bool,
        after: Position | None = None,
        limit: int,
    ) -> list[tuple[Deployment, bool]]:
        """Return a flow's deployments, newest first, each with whether anybody works on the flow at the moment.

        Both come from one statement: an unfinished row without anybody at work is one whose process died.
        """
        at_work = exists().where(Lease.name == lease_name(flow_id), Lease.expires_ms > now_ms())
        rows = _of_flow(tenant_id, flow_id).add_columns(at_work).limit(limit)
        if not without_core:
            rows = rows.where(Deployment.core_id.is_not(None))
        if after is not None:
            started_at, deployment_id = after
            rows = rows.where(
                or_(
                    Deployment.started_at < started_at,
                    and_(Deployment.started_at == started_at, Deployment.id < deployment_id),
                )
            )
        return [(row, bool(at_work)) for row, at_work in await self._session.execute(rows)]

    async def in_core(self, tenant_id: str, flow_id: str) -> Deployment | None:
        """Return the deploy that last reached a Core which was not deleted since, however it ended."""
        return await self._session.scalar(_with_core(tenant_id, flow_id).limit(1))

    async def known_core(self, tenant_id: str, flow_id: str) -> KnownCore:
        """Return what earlier deploys tell of the flow's Core."""
        latest = await self.in_core(tenant_id, flow_id)
        if latest is not None:
            return KnownCore(id=latest.core_id)
        lost = _of_flow(tenant_id, flow_id).where(
            Deployment.core_id.is_(None), or_(Deployment.error.is_(None), Deployment.error.in_(_LOST))
        )
        return KnownCore(may_exist=await self._session.scalar(lost.limit(1)) is not None)

    async def cores_of_flow(self, tenant_id: str, flow_id: str) -> list[str]:
        """Return the Cores that the flow's deploys reached and nobody deleted, newest first."""
        rows = await self._session.scalars(_with_core(tenant_id, flow_id))
        return list(dict.fromkeys(row.core_id for row in rows if row.core_id is not None))

    async def undeployed(self, tenant_id: str, flow_id: str, core_id: str) -> None:
        """Note that a Core of the flow is gone."""
        await self._session.execute(
            update(Deployment)
            .where(
                Deployment.tenant_id == tenant_id,
                Deployment.flow_id == flow_id,
                Deployment.core_id == core_id,
            )
            .values(status=UNDEPLOYED)
            .execution_options(synchronize_session=False)
        )

    async def cores(self, tenant_id: str) -> dict[str, str]:
        """Return every Core of the tenant's flows that still exist, with its flow."""
        rows = await self._session.execute(
            select(Deployment.core_id, Deployment.flow_id)
            .join(Flow, Flow.id == Deployment.flow_id)
            .where(
                Deployment.tenant_id == tenant_id, Deployment.core_id.is_not(None), Flow.deleted_at.is_(None)
            )
            .distinct()
        )
        return {core_id: flow_id for core_id, flow_id in rows if core_id is not None}

    async def _change(self, deployment: Deployment, **values: object) -> None:
        await self._session.execute(
            update(Deployment)
            .where(Deployment.id == deployment.id, Deployment.tenant_id == deployment.tenant_id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def _of_flow(tenant_id: str, flow_id: str) -> Select[Deployment]:
    return (
        select(Deployment)
        .where(Deployment.tenant_id == tenant_id, Deployment.flow_id == flow_id)
        .order_by(Deployment.started_at.desc(), Deployment.id.desc())
    )


def _with_core(tenant_id: str, flow_id: str) -> Select[Deployment]:
    return _of_flow(tenant_id, flow_id).where(
        Deployment.core_id.is_not(None), Deployment.status != UNDEPLOYED
    )
