"""What open rooms ask the database again and again, in one question for all of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level, level_of
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, TenantScope
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow, FlowAcl

_AT_ONCE: Final = 500
"""Values of one question: SQLite takes no more than some thousands."""

# Asked for each socket that comes: to build them takes longer than to ask, and leaves what only the search for
# garbage frees.
_TENANTS: Final = select(Flow.tenant_id).where(Flow.id == bindparam("flow_id"))
_OWN_TENANT: Final = _TENANTS.where(Flow.tenant_id == bindparam("tenant_id"))
_FLOWS: Final = (
    select(Flow, SyncDocument)
    .outerjoin(
        SyncDocument,
        and_(SyncDocument.flow_id == Flow.id, SyncDocument.tenant_id == Flow.tenant_id),
    )
    .where(
        Flow.id.in_(bindparam("flow_ids", expanding=True)),
        Flow.tenant_id.in_(bindparam("tenant_ids", expanding=True)),
    )
    .execution_options(populate_existing=True)
)
_GRANTS: Final = select(FlowAcl.flow_id, FlowAcl.principal_type, FlowAcl.principal_id, FlowAcl.level).where(
    FlowAcl.flow_id.in_(bindparam("flow_ids", expanding=True))
)


@dataclass(slots=True)
class FlowNow:
    """A flow and its draft at this moment, and who was granted what."""

    flow: Flow
    draft: SyncDocument | None
    grants: dict[tuple[str, str], Level] = field(default_factory=dict)

    @property
    def deleted(self) -> bool:
        return self.flow.deleted_at is not None

    def level_of(self, caller: Caller) -> Level | None:
        """Return what a caller holds on the flow; None: it may not even see it."""
        principals = [("user", caller.subject), *(("group", group) for group in caller.groups)]
        granted = [self.grants[principal] for principal in principals if principal in self.grants]
        flow = self.flow
        return level_of(caller, tenant_id=flow.tenant_id, owner_id=flow.owner_id, granted=granted)


class SyncRepository:
    """Flows by the places that their rooms name: tenant and flow."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, flow_id: str, tenants: TenantScope) -> FlowNow | None:
        """Return a flow, deleted or not, wherever the caller may look."""
        tenant_id = await (
            self._session.scalar(_TENANTS, {"flow_id": flow_id})
            if tenants is ALL
            else self._session.scalar(_OWN_TENANT, {"flow_id": flow_id, "tenant_id": tenants})
        )
        return (await self._flows([(tenant_id, flow_id)])).get((tenant_id, flow_id)) if tenant_id else None

    async def flows(self, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], FlowNow]:
        """Return the flows at some places, deleted or not."""
        found: dict[tuple[str, str], FlowNow] = {}
        ordered = sorted(places)
        for start in range(0, len(ordered), _AT_ONCE):
            found |= await self._flows(ordered[start : start + _AT_ONCE])
        return found

    async def _flows(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], FlowNow]:
        ids = [flow_id for _, flow_id in places]
        rows = await self._session.execute(
            _FLOWS, {"flow_ids": ids, "tenant_ids": sorted({tenant_id for tenant_id, _ in places})}
        )
        found = {(flow.tenant_id, flow.id): FlowNow(flow, draft) for flow, draft in rows}
        by_id = {flow_id: now for (_, flow_id), now in found.items()}
        grants = await self._session.execute(_GRANTS, {"flow_ids": list(by_id)})
        for flow_id, kind, principal, level in grants:
            by_id[flow_id].grants[kind, principal] = Level[level.upper()]
        return {place: now for place, now in found.items() if place in set(places)}
