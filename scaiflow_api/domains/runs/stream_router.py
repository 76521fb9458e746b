"""`/v1/scaicore/events/stream`: events as they happen, as Server-Sent Events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from scaiflow_api.domains.deploy.errors import CoreNotFound
from scaiflow_api.domains.runs.errors import TooManyStreams
from scaiflow_api.domains.runs.following import Follower, Pace, ended
from scaiflow_api.domains.runs.router import UPSTREAM, CoresDep, OneCore
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.slots import NoSlotFree
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError
from scaiflow_api.web.deps import AuthenticatorDep, ResourcesDep, Viewer
from scaiflow_api.web.errors import documented

router = APIRouter(prefix="/scaicore", tags=["runs"])

Cursor = Annotated[
    str | None, Query(max_length=2048, description="go on after this one; left out: after what has happened")
]
LastEventId = Annotated[
    str | None,
    Header(max_length=2048, description="sent by a browser that connects again; goes before `cursor`"),
]


async def opened_follower(
    request: Request,
    caller: Viewer,
    resources: ResourcesDep,
    authenticator: AuthenticatorDep,
    cores: CoresDep,
    core_id: OneCore = None,
    cursor: Cursor = None,
    last_event_id: LastEventId = None,
) -> AsyncIterator[Follower]:
    """Begin before the answer does, so that what is wrong is a status and not the end of a stream."""
    authorization = request.headers.get("authorization")
    try:
        with resources.streams.one():
            follower = Follower(
                cores,
                lambda: authenticator.identify(authorization),
                core_id=core_id,
                cursor=last_event_id or cursor,
                ending=resources.ending,
                pace=Pace(resources.settings.scaigrid.stream_poll_s),
            )
            await follower.begin(caller)
            yield follower
    except NoSlotFree:
        raise TooManyStreams(limit=resources.streams.limit) from None


@router.get(
    "/events/stream",
    response_description="events as they happen, as Server-Sent Events",
    response_class=EventSourceResponse,
    responses=documented(CoreNotFound, TooManyStreams, *UPSTREAM),
)
async def stream_events(
    follower: Annotated[Follower, Depends(opened_follower)],
) -> AsyncIterator[ServerSentEvent]:
    """Follow the events of the flows that you may see, or of one Core, as Server-Sent Events.

    Each message is one event as ScaiGrid sends it; its `id` is the cursor, for `Last-Event-ID`. An event may come
    twice after connecting again, but none is lost. A comment comes every 15 s. An `event: error` with
    `{error, message}` tells why a stream ends: your token ran out, say.
    """
    try:
        async for happened in follower.events():
            data = None if happened.event is None else happened.event.decode()
            yield ServerSentEvent(raw_data=data, id=happened.cursor)
    except UpstreamError as failure:
        yield ServerSentEvent(event="error", raw_data=ended(as_app_error(failure)).decode())
    except AppError as error:
        yield ServerSentEvent(event="error", raw_data=ended(error).decode())
