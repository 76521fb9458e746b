"""Giving a flow to another owner."""

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Occurrence, write_down
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.principals import ACTIVE, Principals
from scaiflow_api.db.session import Database
from scaiflow_api.domains.flows.audited import flow_state, transferred
from scaiflow_api.domains.flows.errors import InsufficientAcl, OwnerNotFound
from scaiflow_api.domains.flows.etag import require_match
from scaiflow_api.domains.flows.rows import FlowRows
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id

OWNER = "owner"
"""Not a level that can be granted: what the owner and the administrators hold above `admin`."""


class TransferFlow:
    """Hands a flow over. The old owner keeps `admin` as a grant, which the new owner can see and revoke."""

    def __init__(self, db: Database, flows: FlowService, principals: Principals, clock: Clock) -> None:
        self._db = db
        self._flows = flows
        self._principals = principals
        self._clock = clock

    async def transfer(self, caller: Caller, flow_id: str, new_owner: str, if_match: str | None) -> Flow:
        """Make `new_owner` the owner; return the flow as it is then.

        Only the owner and administrators may: a grant of `admin` is not enough. Of two transfers at once the second
        is judged by what the first left. Raises what opening the flow raises, InsufficientAcl, OwnerNotFound, and
        VersionConflict when `if_match` does not name the flow.
        """
        while True:
            flow = await self._flows.open(caller, flow_id, Level.ADMIN)
            if new_owner == flow.owner_id:
                return flow  # also when the old owner, whose answer was lost, asks again
            if not (caller.subject == flow.owner_id or caller.is_tenant_admin or caller.is_super_admin):
                raise InsufficientAcl(flow_id=flow.id, needed=OWNER, held=Level.ADMIN.label)
            require_match(flow, if_match)
            standing = await self._principals.find(flow.tenant_id, new_owner)
            if standing is None or standing.deleted or standing.status != ACTIVE:
                raise OwnerNotFound(owner_id=new_owner)
            if (given := await self._give(caller, flow, new_owner, if_match)) is not None:
                return given

    async def _give(self, caller: Caller, flow: Flow, new_owner: str, if_match: str | None) -> Flow | None:
        """Return None when the flow was deleted, or its owner or grants changed, in the meantime."""
        now = self._clock.now()

        def hand_over(connection: Connection) -> Flow | None:
            rows = FlowRows(connection)
            seen = rows.lock(flow)
            if seen is None or seen.owner_id != flow.owner_id:
                return None
            require_match(seen, if_match)
            given = rows.change(seen, owner_id=new_owner, updated_at=now)
            assert given is not None, "its row is locked"
            rows.give(seen, new_owner, granted_by=caller.subject, acl_id=new_id("acl"), now=now)
            entry = transferred(given, before=flow_state(seen), old_owner=seen.owner_id)
            write_down(connection, [Occurrence(caller, entry, now)])
            return given

        try:
            return await self._db.carry_out(hand_over)
        except IntegrityError:
            return None
