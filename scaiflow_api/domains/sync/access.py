"""What a socket may do at this moment: asked when it opens, and then every two seconds, for all of them at once."""

from dataclasses import dataclass, replace

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import MANAGE, VIEW, Caller
from scaiflow_api.auth.tokens import Claims
from scaiflow_api.db.principals import ACTIVE, Standing
from scaiflow_api.domains.sync.awareness import Person
from scaiflow_api.domains.sync.closing import (
    FLOW_DELETED,
    NO_ACCESS,
    NOT_AUTHENTICATED,
    TRY_AGAIN,
    Closing,
)
from scaiflow_api.domains.sync.repository import FlowNow


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who opened a socket, and by what right."""

    caller: Caller
    claims: Claims | None
    """None: this process asks for no token."""
    permissions: frozenset[str]

    @property
    def person(self) -> Person:
        caller = self.caller
        return Person(caller.tenant_id, caller.subject, caller.display_name or caller.email or caller.subject)

    def expired(self, now: float) -> bool:
        """Tell whether the token is over at a time, in seconds since 1970."""
        return self.claims is not None and now >= self.claims.expires_at

    def now(self, standing: Standing | None) -> "Admitted | Closing":
        """Return who this is by the mirror's word of today, or why not to go on with them."""
        if self.claims is None:
            return self
        if standing is None or standing.deleted or standing.status != ACTIVE:
            return NOT_AUTHENTICATED
        groups = standing.groups_with(self.claims.groups)
        caller = replace(self.caller, groups=groups, admin_role=standing.admin_role)
        if caller.admin_role == self.caller.admin_role:
            return replace(self, caller=caller)
        # The role implied permissions, or does now: what is left of them without it is asked for anew.
        return TRY_AGAIN


def access_of(admitted: Admitted, flow: FlowNow | None) -> Closing | bool:
    """Return whether somebody may write the flow's draft, or why not even look at it."""
    if flow is None or flow.deleted:
        return FLOW_DELETED
    level = flow.level_of(admitted.caller)
    if level is None or VIEW not in admitted.permissions:
        return NO_ACCESS
    return level >= Level.EDIT and MANAGE in admitted.permissions
