"""Who else has a flow open. What is kept is only who said so last; who may be seen is asked anew each time."""

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.domains.acls.service import FlowAcls
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.live import Peer, Person, Presence


class FlowPresence:
    """Every method raises FlowNotFound, and PresenceUnavailable when the keeper is away."""

    def __init__(self, flows: FlowService, acls: FlowAcls, presence: Presence) -> None:
        self._flows = flows
        self._acls = acls
        self._presence = presence

    async def announce(self, caller: Caller, flow_id: str, *, display_name: str, color: str) -> None:
        """Count the caller among those who are here, from now for half a minute."""
        flow = await self._flows.open(caller, flow_id, Level.VIEW)
        person = Person(caller.tenant_id, caller.subject, display_name, color)
        await self._presence.announce(flow.tenant_id, flow.id, person)

    async def peers(self, caller: Caller, flow_id: str) -> list[Peer]:
        """Return the others by name, so that they keep their places from one answer to the next.

        People who lost access since their last heartbeat are not among them.
        """
        flow = await self._flows.open(caller, flow_id, Level.VIEW)
        me = (caller.tenant_id, caller.subject)
        here = [peer for peer in await self._presence.peers(flow.tenant_id, flow.id) if peer.person.who != me]
        if not here:
            return []
        viewers = await self._acls.viewers(flow, [peer.person.who for peer in here])
        seen = [peer for peer in here if peer.person.who in viewers]
        return sorted(seen, key=lambda peer: (peer.person.display_name, peer.person.who))

    async def leave(self, caller: Caller, flow_id: str) -> None:
        """Count the caller among those who are here no longer."""
        flow = await self._flows.open(caller, flow_id, Level.VIEW)
        await self._presence.leave(flow.tenant_id, flow.id, (caller.tenant_id, caller.subject))
