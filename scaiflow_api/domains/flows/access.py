"""Loads the stored grants on a flow and lets `auth.acl` decide what the caller may do."""

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level, level_of
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.errors import FlowNotFound, InsufficientAcl
from scaiflow_api.domains.flows.rows import FlowRows


def check_level(connection: Connection, flow: Flow, caller: Caller, level: Level) -> None:
    """Raise FlowNotFound where the caller may not even see the flow, InsufficientAcl where it holds too little."""
    held = level_of(caller, tenant_id=flow.tenant_id, owner_id=flow.owner_id)
    if held is None:
        granted = FlowRows(connection).granted(flow, caller)
        held = level_of(caller, tenant_id=flow.tenant_id, owner_id=flow.owner_id, granted=granted)
    if held is None:
        raise FlowNotFound(flow_id=flow.id)
    if held < level:
        raise InsufficientAcl(flow_id=flow.id, needed=level.label, held=held.label)


async def require_level(session: AsyncSession, flow: Flow, caller: Caller, level: Level) -> None:
    """Do what `check_level` does, for who has a session."""
    await session.run_sync(lambda inner: check_level(inner.connection(), flow, caller, level))
