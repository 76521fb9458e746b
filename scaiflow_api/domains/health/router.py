"""`/healthz`, `/readyz` and `/metrics`, outside /api and without a token."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request, Response

from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.metrics import CONTENT_TYPE_LATEST, UPSTREAM_LEFT_ALONE, exposed
from scaiflow_api.resources import Resources
from scaiflow_api.upstreams.base import origin_of
from scaiflow_api.upstreams.breaker import State
from scaiflow_api.upstreams.failures import TITLES, System
from scaiflow_api.web.deps import ResourcesDep
from scaiflow_api.web.schemas import AnswerModel

router = APIRouter(tags=["health"])

_CHECK_TIMEOUT_S = 3.0


class Health(AnswerModel):
    """The process lives."""

    status: Literal["ok"]


class Readiness(AnswerModel):
    """`checks` must hold for the process to serve.

    Without what is `optional` all but one feature works. `upstreams` are `configured`, `not configured`, or
    `failing`: left alone for some tenants, or all, because they failed several times in a row.
    """

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]
    optional: dict[str, str]
    upstreams: dict[str, str]
    left_alone: dict[str, int]
    """For how many tenants a system is left alone, at whatever address; those that are not are not named."""


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """Answer as long as the process lives."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(resources: ResourcesDep, response: Response) -> Readiness:
    """Ask the database and the object store; 503 when either does not answer. Presence may be away."""
    database, store, presence = await asyncio.gather(
        _ask(resources.db.check()), _ask(resources.blobs.check()), _ask(resources.presence.check())
    )
    ready = database == store == "ok"
    response.status_code = 200 if ready else 503
    return Readiness(
        status="ready" if ready else "not_ready",
        checks={"database": database, "store": store},
        optional={"presence": presence},
        upstreams=_upstreams(resources),
        left_alone=resources.breakers.left_alone(),
    )


@router.get(
    "/metrics",
    response_class=Response,
    response_description="counters and histograms, in the format of Prometheus",
)
async def metrics(request: Request, resources: ResourcesDep) -> Response:
    """Return what this process counts and times, for Prometheus. Nothing in it names a tenant or a person."""
    left_alone = resources.breakers.left_alone()
    for system in TITLES:
        UPSTREAM_LEFT_ALONE.labels(system).set(left_alone[system])
    rooms: Rooms = request.app.state.rooms
    return Response(exposed(rooms.counters), media_type=CONTENT_TYPE_LATEST)


def _upstreams(resources: Resources) -> dict[str, str]:
    settings = resources.settings
    addresses: dict[System, str | None] = {
        **dict.fromkeys(("scaigrid", "scaiqueue", "scaibunker"), settings.scaigrid.base_url),
        "scaikey": settings.scaikey.base_url,
        "scaivault": settings.secrets.vault_url,
    }
    failing = {
        (found.road.system, found.road.origin)
        for found in resources.breakers.circuits()
        if found.state is not State.CLOSED
    }

    def standing(system: System, address: str | None) -> str:
        if not address:
            return "not configured"
        return "failing" if (system, origin_of(address)) in failing else "configured"

    return {system: standing(system, address) for system, address in addresses.items()}


async def _ask(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await check
    except AppError as error:
        return error.error
    except TimeoutError:
        return "timeout"
    return "ok"
