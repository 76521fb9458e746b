"""`/healthz`, `/readyz` and `/metrics`, outside /api and without a token."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Response

from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.metrics import CONTENT_TYPE_LATEST, exposed
from scaiflow_api.web.deps import ResourcesDep
from scaiflow_api.web.schemas import AnswerModel

router = APIRouter(tags=["health"])

_CHECK_TIMEOUT_S = 3.0


class Health(AnswerModel):
    status: Literal["ok"]


class Readiness(AnswerModel):
    """`checks` must hold for the process to serve.

    Without what is `optional` all but one feature works; `upstreams` only say what is configured.
    """

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]
    optional: dict[str, str]
    upstreams: dict[str, str]


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
    settings = resources.settings
    return Readiness(
        status="ready" if ready else "not_ready",
        checks={"database": database, "store": store},
        optional={"presence": presence},
        upstreams={
            "scaikey": "configured" if settings.scaikey.base_url else "not configured",
            "scaigrid": "configured" if settings.scaigrid.base_url else "not configured",
            "scaivault": "configured" if settings.secrets.vault_url else "not configured",
        },
    )


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Return what this process counts and times, for Prometheus. Nothing in it names a tenant or a person."""
    return Response(exposed(), media_type=CONTENT_TYPE_LATEST)


async def _ask(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await check
    except AppError as error:
        return error.error
    except TimeoutError:
        return "timeout"
    return "ok"
