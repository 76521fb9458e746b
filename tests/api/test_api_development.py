"""What is switched on for development alone, and who is an administrator from the start."""

from collections.abc import AsyncIterator
from contextlib import nullcontext

import httpx
import pytest
from api_apps import shared_app
from api_refusals import refused
from api_sockets import NOT_ACCEPTED, opened
from fastapi import FastAPI
from people import People
from pydantic import ValidationError

from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, Bootstrap, Environment, ScaiGrid, ScaiKey, Settings


@pytest.fixture
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """An API that asks nobody for a token."""
    disabled = settings.model_copy(update={"scaikey": ScaiKey(auth_disabled=True)})
    async with open_resources(disabled) as resources:
        app = shared_app(disabled, resources)
        yield app
        await app.state.rooms.close()


@pytest.fixture
async def open_door(open_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(open_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8001/api/v1") as client:
        yield client


async def test_with_authentication_disabled_everyone_is_one_developer(open_door: httpx.AsyncClient) -> None:
    me = (await open_door.get("/me", headers={"Authorization": "Bearer whatever"})).json()

    assert (me["sub"], me["tenant_id"], me["admin_role"]) == (
        "usr_developer",
        "tnt_development",
        "tenant_admin",
    )


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:8001", "", "[::2]"]
)
async def test_it_then_serves_only_requests_to_this_machine(open_door: httpx.AsyncClient, host: str) -> None:
    answer = await open_door.get("/me", headers={"Host": host})

    assert refused(answer) == (421, "misdirected_request")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8001", "localhost", "[::1]", "[::1]:8001"])
async def test_every_name_of_this_machine_is_good(open_door: httpx.AsyncClient, host: str) -> None:
    assert (await open_door.get("/me", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("localhost:8001", None, None),
        ("127.0.0.1:8001", "http://localhost:5173", None),
        ("127.0.0.1:8001", "https://scaiflow.scailabs.ai", None),
        ("127.0.0.1:8001", "http://evil.example", NOT_ACCEPTED),
        ("127.0.0.1:8001", "null", NOT_ACCEPTED),
        ("evil.example", None, NOT_ACCEPTED),
    ],
)
async def test_a_socket_then_opens_only_for_pages_of_this_machine_and_of_the_canvas(
    open_app: FastAPI,
    open_door: httpx.AsyncClient,
    echo: dict[str, object],
    host: str,
    origin: str | None,
    code: int | None,
) -> None:
    made = await open_door.post("/flows", json={"content": echo})
    headers = {"host": host} | ({"origin": origin} if origin else {})

    assert await opened(open_app, f"/api/v1/flows/{made.json()['id']}/sync", headers) == code


@pytest.mark.parametrize(
    ("api", "scaikey"),
    [
        ({"env": Environment.PRODUCTION}, {"auth_disabled": True}),
        ({"env": Environment.PRODUCTION, "reload": True}, {}),
        ({"env": Environment.DEVELOPMENT, "host": "0.0.0.0"}, {"auth_disabled": True}),
    ],
)
def test_production_and_open_addresses_refuse_the_switches(
    api: dict[str, object], scaikey: dict[str, object]
) -> None:
    with pytest.raises(ValidationError, match=r"development|loopback"):
        Settings(api=Api(**api), scaikey=ScaiKey(**scaikey))


async def test_bootstrap_admins_hold_their_role_from_the_start(settings: Settings, people: People) -> None:
    admins = Bootstrap(admins="tnt_acme/usr_erin=tenant_admin, tnt_platform/usr_root=super_admin")

    async with open_resources(settings.model_copy(update={"bootstrap": admins})) as resources:
        erin = await resources.principals.find("tnt_acme", "usr_erin")
        namesake = await resources.principals.find("tnt_globex", "usr_erin")

    assert erin is not None
    assert (erin.admin_role, erin.admin_role_source) == ("tenant_admin", "bootstrap")
    assert namesake is None


@pytest.mark.parametrize(
    "admins", ["usr_erin", "tnt_acme/usr_erin=owner", "tnt_acme/usr_erin", "a/b/c=super_admin"]
)
def test_a_malformed_bootstrap_admin_stops_the_start(admins: str) -> None:
    with pytest.raises(ValidationError, match="SCAIFLOW_BOOTSTRAP_ADMINS"):
        Bootstrap(admins=admins)


@pytest.mark.parametrize("section", [ScaiGrid, ScaiKey])
@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("https://grid.test", True),
        ("http://127.0.0.1:8002/scaigrid/", True),
        ("http://[::1]:8002", True),
        ("https://user:password@grid.test", False),
        ("https://grid.test?x=1", False),
        ("grid.test:8002", False),
        ("http://[::1", False),
        ("https://", False),
    ],
)
def test_an_address_that_cannot_be_called_stops_the_start(
    section: type[ScaiGrid | ScaiKey], address: str, taken: bool
) -> None:
    with nullcontext() if taken else pytest.raises(ValidationError, match="no address like"):
        section(base_url=address)


async def test_a_document_read_last_is_kept_in_memory(resources: Resources) -> None:
    await resources.versions.write("tnt_acme", "flow_1", "1.0.0", b"{}")
    assert (await resources.versions.read("tnt_acme", "flow_1", "1.0.0")).text == b"{}"

    await resources.blobs.delete("flows/tnt_acme/flow_1/v1.0.0.flow.json")

    assert (await resources.versions.read("tnt_acme", "flow_1", "1.0.0")).text == b"{}"
