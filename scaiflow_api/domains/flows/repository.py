"""Questions about many flows, or many versions. Every one names the tenants that it may reach."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.flow import Flow, FlowVersion
from scaiflow_api.domains.flows.listing import Order, Position, Wanted
from scaiflow_api.domains.flows.visible import FEW, FIELDS, Shape, count_of, page_of, values_after, values_of


class FlowRepository:
    """Flows as one session sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(
        self, caller: Caller, wanted: Wanted, order: Order, *, after: Position | None, size: int
    ) -> tuple[list[dict[str, Any]], int, Position | None]:
        """Return up to `size` visible flows, how many there are, and where the page ended if there is another."""
        shape = Shape.of(caller, wanted, self._session.get_bind().dialect.name)
        values = values_of(caller, wanted)
        total = None
        if shape.by_tails:
            total = await self._count(shape, values)
            shape = shape._replace(few=total <= FEW)
        here = values_after(after) if after else {}
        asked = page_of(shape, order, after=after is not None)
        rows = (await self._session.execute(asked, {**values, **here, "size": size + 1})).all()
        if shape.counts and (rows or after is None):
            total = rows[0].total if rows else 0
        if total is None:
            total = await self._count(shape, values)
        end = Position(rows[size - 1].key, rows[size - 1].id) if len(rows) > size else None
        return [dict(zip(FIELDS, row, strict=False)) for row in rows[:size]], total, end

    async def _count(self, shape: Shape, values: dict[str, Any]) -> int:
        # A sum may be of nothing, and MariaDB makes a Decimal of it.
        return int(await self._session.scalar(count_of(shape), values) or 0)

    async def versions(self, flow: Flow) -> Sequence[FlowVersion]:
        """Return the versions of a flow, in no order."""
        return (await self._session.scalars(select(FlowVersion).where(FlowVersion.flow_id == flow.id))).all()

    async def find_version(self, flow: Flow, version: str) -> FlowVersion | None:
        return await self._session.get(FlowVersion, (flow.id, version))
