"""A suspension counts within five seconds in every process, whichever of them is told, and however."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from api_apps import shared_app
from api_refusals import refused
from cachetools import TTLCache
from fastapi import FastAPI
from mirror import mirror
from people import People
from played_directory import PlayedDirectory
from pydantic import SecretStr
from settable_clock import StopWatch
from webhooks import SECRET, deliver, scaikey_event

from scaiflow_api.domains.directory.sync import DirectorySync
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings
from scaiflow_api.web.authentication import STANDING_TTL_S

Tell = Callable[[httpx.AsyncClient, Resources], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    scaikey = settings.scaikey.model_copy(update={"webhook_secret": SecretStr(SECRET)})
    return settings.model_copy(update={"scaikey": scaikey})


@pytest.fixture
def watch() -> StopWatch:
    return StopWatch()


@pytest.fixture
def other(settings: Settings, resources: Resources, watch: StopWatch) -> FastAPI:
    """Another process on the same database, whose caches go by a stopwatch."""
    app = shared_app(settings, replace(resources))
    app.state.authenticator._standing = TTLCache(100, STANDING_TTL_S, timer=watch)
    return app


async def suspended_by_webhook(api: httpx.AsyncClient, _: Resources) -> None:
    assert (await deliver(api, scaikey_event("user.suspended", {"id": "usr_bob"}))).status_code == 200


async def deleted_by_webhook(api: httpx.AsyncClient, _: Resources) -> None:
    assert (await deliver(api, scaikey_event("user.deleted", {"id": "usr_bob"}))).status_code == 200


async def suspended_by_sync(_: httpx.AsyncClient, resources: Resources) -> None:
    scaikey = PlayedDirectory()
    scaikey.add_user("usr_bob", status="SUSPENDED")
    report = await DirectorySync(replace(resources, directory=scaikey)).run()  # type: ignore[arg-type]
    assert report.skipped_reason is None


async def missed_by_syncs(_: httpx.AsyncClient, resources: Resources) -> None:
    """Whoever ScaiKey does not list any more is deleted by the second sync that finds so."""
    scaikey = PlayedDirectory()
    scaikey.add_user("usr_erin")
    for _round in range(2):
        await DirectorySync(replace(resources, directory=scaikey)).run()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tell", [suspended_by_webhook, deleted_by_webhook, suspended_by_sync, missed_by_syncs]
)
async def test_a_suspended_or_deleted_account_is_refused_by_every_process(
    api: httpx.AsyncClient,
    other: FastAPI,
    watch: StopWatch,
    resources: Resources,
    people: People,
    tell: Tell,
) -> None:
    assert STANDING_TTL_S < 5
    await mirror(resources.db, "tnt_acme", users=["usr_bob", "usr_erin"])
    transport = httpx.ASGITransport(other)
    async with httpx.AsyncClient(transport=transport, base_url="http://other.test/api/v1") as elsewhere:
        assert (await elsewhere.get("/me", headers=people.bob.headers)).status_code == 200
        await tell(api, resources)

        watch.seconds += STANDING_TTL_S + 0.001
        answer = await elsewhere.get("/me", headers=people.bob.headers)
        assert refused(answer) == (401, "account_not_active")
        assert (await elsewhere.get("/me", headers=people.erin.headers)).status_code == 200
