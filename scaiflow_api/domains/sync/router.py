"""`WebSocket /v1/flows/{flow_id}/sync`: editing a flow together. docs/coediting.md tells clients how."""

from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import VIEW
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.domains.sync.socket import SyncSocket
from scaiflow_api.resources import Resources
from scaiflow_api.web.sockets import SUBPROTOCOL, Admission, admits, stay

router = APIRouter(tags=["sync"])

Viewer = Annotated[Admission, Depends(admits(VIEW, Level.VIEW))]


@router.websocket("/flows/{flow_id}/sync")
async def sync(websocket: WebSocket, flow_id: str, admission: Viewer) -> None:
    """Speak the protocol of y-websocket. People who may only view just receive."""
    resources: Resources = websocket.app.state.resources
    rooms: Rooms = websocket.app.state.rooms
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    socket = SyncSocket(
        websocket, flow_id, admission, rooms=rooms, db=resources.db, settings=resources.settings.sync
    )
    await stay(websocket, socket.run)
