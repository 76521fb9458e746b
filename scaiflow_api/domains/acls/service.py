"""Granting and revoking access to a flow. All of it needs `admin` on the flow.

What the owner, the tenant's admins and super admins hold is no grant: it cannot be seen or revoked here. Somebody who
is let in by a grant alone cannot take away the last one that lets an active account of the tenant in.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level, level_of
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Action, Entry, record, state_hash
from scaiflow_api.db.models.flow import Flow, FlowAcl
from scaiflow_api.db.session import Database
from scaiflow_api.domains.acls.errors import (
    PRINCIPAL_TYPES,
    AclExists,
    AclNotFound,
    InvalidLevel,
    InvalidPrincipalType,
    LastWayIn,
    OwnerHoldsAdmin,
    PrincipalNotFound,
)
from scaiflow_api.domains.acls.repository import AclRepository, Principal
from scaiflow_api.domains.flows.access import require_level
from scaiflow_api.domains.flows.errors import FlowNotFound
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id

_LEVELS = {level.label for level in Level}


class FlowAcls:
    """The explicit grants of flows. Every method raises FlowNotFound and InsufficientAcl."""

    def __init__(self, db: Database, flows: FlowService, clock: Clock) -> None:
        self._db = db
        self._flows = flows
        self._clock = clock

    async def list(self, caller: Caller, flow_id: str) -> Sequence[FlowAcl]:
        """Return the flow's grants, oldest first."""
        flow = await self._flows.open(caller, flow_id, Level.ADMIN)
        async with self._db.read() as session:
            return await AclRepository(session).list(flow)

    async def grant(
        self, caller: Caller, flow_id: str, *, principal_type: str, principal_id: str, level: str
    ) -> FlowAcl:
        """Give a user or group of the flow's tenant a level.

        Raises InvalidLevel, InvalidPrincipalType, PrincipalNotFound, OwnerHoldsAdmin, AclExists.
        """
        opened = await self._flows.open(caller, flow_id, Level.ADMIN)
        _require_level(level)
        if principal_type not in PRINCIPAL_TYPES:
            raise InvalidPrincipalType(principal_type=principal_type)
        async with self._locked(caller, opened) as (session, acls, flow):
            now = self._clock.now()
            known = await acls.mirrored(flow.tenant_id, principal_type, principal_id)
            if known is None:
                raise PrincipalNotFound(principal_type=principal_type, principal_id=principal_id)
            if principal_type == "user" and known == flow.owner_id:
                raise OwnerHoldsAdmin(principal_id=known)
            there = await acls.grant_to(flow, principal_type, known)
            if there is not None:
                raise AclExists(
                    flow_id=flow.id,
                    acl_id=there.id,
                    principal_type=principal_type,
                    principal_id=known,
                    level=there.level,
                )
            granted = FlowAcl(
                id=new_id("acl"),
                flow_id=flow.id,
                principal_type=principal_type,
                principal_id=known,
                level=level,
                granted_by=caller.subject,
                granted_at=now,
            )
            acls.add(granted)
            await record(session, caller, _entry(flow, granted, "acl.granted", after=_state(granted)), now)
        return granted

    async def change(self, caller: Caller, flow_id: str, acl_id: str, level: str) -> FlowAcl:
        """Give a grant another level. Raises InvalidLevel, AclNotFound, LastWayIn."""
        opened = await self._flows.open(caller, flow_id, Level.ADMIN)
        _require_level(level)
        async with self._locked(caller, opened) as (session, acls, flow):
            now = self._clock.now()
            granted = await self._granted(acls, flow, acl_id)
            if granted.level != level:
                await self._require_way_in(caller, acls, flow, granted)
                before = _state(granted)
                granted.level, granted.granted_by, granted.granted_at = level, caller.subject, now
                entry = _entry(flow, granted, "acl.changed", before=before, after=_state(granted))
                await record(session, caller, entry, now)
        return granted

    async def revoke(self, caller: Caller, flow_id: str, acl_id: str) -> None:
        """Take a grant away, also one's own. Raises AclNotFound, LastWayIn."""
        opened = await self._flows.open(caller, flow_id, Level.ADMIN)
        async with self._locked(caller, opened) as (session, acls, flow):
            granted = await self._granted(acls, flow, acl_id)
            await self._require_way_in(caller, acls, flow, granted)
            await acls.remove(granted)
            entry = _entry(flow, granted, "acl.revoked", before=_state(granted))
            await record(session, caller, entry, self._clock.now())

    async def viewers(self, flow: Flow, principals: Collection[Principal]) -> set[Principal]:
        """Return which of some principals may view a flow now, whatever was true when they were let in."""
        async with self._db.read() as session:
            return await AclRepository(session).viewers(flow, principals)

    @asynccontextmanager
    async def _locked(
        self, caller: Caller, opened: Flow
    ) -> AsyncIterator[tuple[AsyncSession, AclRepository, Flow]]:
        """Open a transaction in which nobody else changes the flow, its owner or its grants.

        The caller's level is asked for again: a grant that was revoked meanwhile is of no use.
        """
        async with self._db.write() as session:
            acls = AclRepository(session)
            flow = await acls.lock(opened)
            if flow is None:
                raise FlowNotFound(flow_id=opened.id)
            await require_level(session, flow, caller, Level.ADMIN)
            yield session, acls, flow

    @staticmethod
    async def _granted(acls: AclRepository, flow: Flow, acl_id: str) -> FlowAcl:
        granted = await acls.find(flow, acl_id)
        if granted is None:
            raise AclNotFound(flow_id=flow.id, acl_id=acl_id)
        return granted

    @staticmethod
    async def _require_way_in(caller: Caller, acls: AclRepository, flow: Flow, granted: FlowAcl) -> None:
        """Check that taking a grant away, or lowering it, shuts nobody's last door."""
        if granted.level != Level.ADMIN.label:
            return
        if level_of(caller, tenant_id=flow.tenant_id, owner_id=flow.owner_id) is not None:
            return  # who needs no grant stays
        if not await acls.has_way_in(flow, without=granted):
            raise LastWayIn


def _entry(
    flow: Flow, granted: FlowAcl, action: Action, *, before: str | None = None, after: str | None = None
) -> Entry:
    return Entry(
        tenant_id=flow.tenant_id,
        action=action,
        target_type="acl",
        target_id=granted.id,
        flow_id=flow.id,
        before=before,
        after=after,
        details={
            "principal_type": granted.principal_type,
            "principal_id": granted.principal_id,
            "level": granted.level,
        },
    )


def _state(granted: FlowAcl) -> str:
    return state_hash(
        id=granted.id,
        flow_id=granted.flow_id,
        principal_type=granted.principal_type,
        principal_id=granted.principal_id,
        level=granted.level,
    )


def _require_level(level: str) -> None:
    if level not in _LEVELS:
        raise InvalidLevel(level=level)
