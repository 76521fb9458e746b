"""`/v1/flows/{flow_id}/presence`: who else has the flow open."""

from typing import Annotated

from fastapi import APIRouter, Depends

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.acls.service import FlowAcls
from scaiflow_api.domains.flows.errors import FlowNotFound
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.presence.schemas import Heartbeat, PeerItem, Peers
from scaiflow_api.domains.presence.service import FlowPresence
from scaiflow_api.live import PresenceUnavailable
from scaiflow_api.web.deps import ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows/{flow_id}/presence", tags=["presence"], route_class=IdempotentRoute)


async def flow_presence(resources: ResourcesDep) -> FlowPresence:
    flows = FlowService(resources.db, resources.versions)
    return FlowPresence(flows, FlowAcls(resources.db, flows, resources.clock), resources.presence)


FlowPresenceDep = Annotated[FlowPresence, Depends(flow_presence)]


@router.post(
    "/heartbeat",
    status_code=204,
    responses=documented(FlowNotFound, PresenceUnavailable),
    openapi_extra=acl(Level.VIEW),
)
async def heartbeat(flow_id: str, body: Heartbeat, caller: Viewer, presence: FlowPresenceDep) -> None:
    """Say that you have the flow open. It counts for 30 seconds: a canvas repeats it every ten or so."""
    await presence.announce(caller, flow_id, display_name=body.display_name, color=body.color)


@router.get(
    "",
    response_model=Peers,
    responses=documented(FlowNotFound, PresenceUnavailable),
    openapi_extra=acl(Level.VIEW),
)
async def list_peers(flow_id: str, caller: Viewer, presence: FlowPresenceDep) -> Peers:
    """List who else has the flow open, by name: up to 100, those seen last. You are not among them."""
    return Peers(
        peers=[
            PeerItem(
                user_id=peer.person.user_id,
                display_name=peer.person.display_name,
                color=peer.person.color,
                last_seen_ago_s=int(peer.ago_s),
            )
            for peer in await presence.peers(caller, flow_id)
        ]
    )


@router.delete(
    "",
    status_code=204,
    responses=documented(FlowNotFound, PresenceUnavailable),
    openapi_extra=acl(Level.VIEW),
)
async def leave(flow_id: str, caller: Viewer, presence: FlowPresenceDep) -> None:
    """Say that you have closed the flow, in all your windows."""
    await presence.leave(caller, flow_id)
