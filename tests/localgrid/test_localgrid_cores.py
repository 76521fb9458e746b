"""ScaiCore module: Cores from their deployment to their end."""

import sqlite3
from typing import Any

import pytest
from localgrid_support import ECHO, SCAICORE, Caller, RunningGrid, echo, error_of, running_grid

from scaiflow_api.localgrid import GridConfig


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


async def post(caller: Caller, core_id: str, verb: str, **request: Any) -> Any:
    return await caller("POST", f"{SCAICORE}/cores/{core_id}/{verb}", **request)


async def test_a_manifest_becomes_a_core(bob: Caller) -> None:
    response = await bob.deploy(ECHO)

    assert response.status_code == 201
    core = response.json()["data"]
    assert core["id"].startswith("core_")
    assert (core["slug"], core["name"], core["status"]) == ("echo-agent", "echo-agent", "created")
    assert core["metadata"]["scaiflow_meta"]["source_id"] == "flow_echo0000001"
    assert core["metadata"]["scaiflow_meta"]["source_version"] == "1.0.0"
    assert core["created_at"] == "2026-04-29T12:34:56.000Z"
    assert (await bob("GET", f"{SCAICORE}/cores/{core['id']}")).json()["data"] == core


async def test_a_hand_written_name_becomes_a_slug(bob: Caller) -> None:
    core = (await bob.deploy(ECHO.replace("  name: echo-agent", "  name: My Écho Agent!"))).json()["data"]
    nameless = (await bob.deploy(ECHO.replace("  name: echo-agent", "  name: 日本"))).json()["data"]

    assert (core["name"], core["slug"]) == ("My Écho Agent!", "my-echo-agent")
    assert nameless["slug"] == nameless["id"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (ECHO.encode(), "application/json", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (ECHO.encode(), "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"", "application/yaml", 422, "VALIDATION_ERROR"),
        (b"core: [", "application/yaml", 422, "VALIDATION_ERROR"),
        (b"core: {name: x}", "application/yaml; charset=utf-8", 422, "VALIDATION_ERROR"),
        (b"\xff\xfe", "text/yaml", 422, "VALIDATION_ERROR"),
        (b"<html>", "application/x-yaml", 422, "VALIDATION_ERROR"),
        (b"a: &a [x]\nb: *a\nc: !!python/object:os.system x", "application/yaml", 422, "VALIDATION_ERROR"),
        (b"#" * (20 * 1024 * 1024 + 1), "application/yaml", 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_what_is_no_manifest_is_refused(
    bob: Caller, body: bytes, content_type: str, status: int, code: str
) -> None:
    response = await bob("POST", f"{SCAICORE}/cores", content=body, headers={"Content-Type": content_type})

    assert response.status_code == status
    assert error_of(response)["code"] == code
    if code == "VALIDATION_ERROR":
        assert error_of(response)["message"].startswith("verifier error: ")


async def test_a_slug_is_taken_once_per_tenant(grid: RunningGrid, bob: Caller) -> None:
    await bob.deploy(ECHO)
    again = await (await grid.caller("usr_alice")).deploy(echo(source_id="flow_other"))
    elsewhere = await (await grid.caller("usr_dave")).deploy(ECHO)

    assert again.status_code == 409
    assert error_of(again)["code"] == "SLUG_CONFLICT"
    assert elsewhere.status_code == 201


async def test_cores_are_listed_in_pages(bob: Caller) -> None:
    ids = [(await bob.deploy(echo(f"agent-{number}"))).json()["data"]["id"] for number in range(5)]
    pages, cursor = [], None
    while cursor or not pages:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await bob("GET", f"{SCAICORE}/cores", params=params)).json()["data"]
        pages.append([core["id"] for core in page["items"]])
        cursor = page["next_cursor"]

    assert pages == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.parametrize(
    ("path", "verb"),
    [
        ("", "GET"),
        ("", "PUT"),
        ("", "DELETE"),
        *((f"/{action}", "POST") for action in ("start", "stop", "publish", "sync", "unpublish", "invoke")),
    ],
)
async def test_another_tenants_core_does_not_exist(
    grid: RunningGrid, bob: Caller, path: str, verb: str
) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    for person in ("usr_dave", "usr_root"):
        foreign = await grid.caller(person)
        request = {"content": ECHO, "headers": {"Content-Type": "application/yaml"}} if verb == "PUT" else {}
        response = await foreign(verb, f"{SCAICORE}/cores/{core_id}{path}", **request)
        unknown = await foreign(verb, f"{SCAICORE}/cores/core_unknown{path}", **request)

        assert (response.status_code, unknown.status_code) == (404, 404)
        assert error_of(response)["code"] == "CORE_NOT_FOUND"
        assert (await foreign("GET", f"{SCAICORE}/cores")).json()["data"]["items"] == []
    assert (await bob("GET", f"{SCAICORE}/cores/{core_id}")).json()["data"]["status"] == "created"


async def test_cores_start_and_stop(bob: Caller) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]

    async def state(verb: str) -> str:
        response = await post(bob, core_id, verb)
        data = response.json().get("data")
        return str(data["status"] if data else error_of(response)["code"])

    assert await state("stop") == "CORE_STATE_CONFLICT"
    assert await state("start") == "running"
    assert await state("start") == "CORE_STATE_CONFLICT"
    assert await state("stop") == "stopped"
    assert await state("start") == "running"


async def test_a_put_replaces_the_manifest_and_keeps_the_rest(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    await post(bob, core_id, "publish")
    renamed = echo("renamed", source_id="flow_2").replace("{{message}}", "{{message}}!")
    response = await bob(
        "PUT", f"{SCAICORE}/cores/{core_id}", content=renamed, headers={"Content-Type": "application/yaml"}
    )

    core = response.json()["data"]
    assert response.status_code == 200
    assert (core["name"], core["slug"], core["status"]) == ("renamed", "echo-agent", "running")
    assert core["metadata"]["scaiflow_meta"]["source_id"] == "flow_2"
    assert core["metadata"]["published_slug"] == "scaicore/acme/echo-agent"
    assert (await bob.invoke(core_id, input={"message": "hi"}))["output"] == {"response": "hi!"}


async def test_a_refused_put_changes_nothing(bob: Caller) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    before = (await bob("GET", f"{SCAICORE}/cores/{core_id}")).json()["data"]
    response = await bob(
        "PUT", f"{SCAICORE}/cores/{core_id}", content=b"core: 1", headers={"Content-Type": "application/yaml"}
    )

    assert response.status_code == 422
    assert (await bob("GET", f"{SCAICORE}/cores/{core_id}")).json()["data"] == before


async def test_a_deleted_core_is_gone_and_its_slug_free(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    deleted = await bob("DELETE", f"{SCAICORE}/cores/{core_id}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await bob("GET", f"{SCAICORE}/cores/{core_id}")).status_code == 404
    assert (await bob.deploy(ECHO)).status_code == 201


async def test_a_core_that_cannot_start_is_in_error_until_it_is_replaced(
    bob: Caller, config: GridConfig
) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    with sqlite3.connect(config.database) as connection:
        connection.execute("UPDATE cores SET manifest = 'core: broken'")
    connection.close()

    started = await post(bob, core_id, "start")
    assert (started.status_code, error_of(started)["code"]) == (422, "INVALID_SOURCE_IR")
    assert (await bob("GET", f"{SCAICORE}/cores/{core_id}")).json()["data"]["status"] == "error"
    assert (await bob("DELETE", f"{SCAICORE}/cores/{core_id}")).status_code == 409
    await bob(
        "PUT", f"{SCAICORE}/cores/{core_id}", content=ECHO, headers={"Content-Type": "application/yaml"}
    )
    assert (await post(bob, core_id, "start")).status_code == 200


async def test_a_published_core_is_a_model_of_its_tenant(grid: RunningGrid, bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    response = await post(bob, core_id, "publish")

    metadata = response.json()["data"]["metadata"]
    assert response.status_code == 200
    assert metadata["published"] is True
    assert metadata["published_slug"] == "scaicore/acme/echo-agent"
    assert metadata["published_model_id"].startswith("mdl_")
    assert await model_slugs(await grid.caller("usr_carol")) == ["scaicore/acme/echo-agent"]
    assert await model_slugs(await grid.caller("usr_dave")) == []
    model = (await bob("GET", "/scaigrid/v1/models/scaicore/acme/echo-agent")).json()["data"]
    assert (model["id"], model["health_status"]) == (metadata["published_model_id"], "healthy")


async def model_slugs(caller: Caller) -> list[str]:
    items = (await caller("GET", "/scaigrid/v1/models")).json()["data"]["items"]
    return [model["slug"] for model in items if model["slug"].startswith("scaicore/")]


async def test_publishing_twice_is_refused_and_sync_is_for_that(bob: Caller) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    early = await post(bob, core_id, "sync")
    await post(bob, core_id, "publish", json={})
    twice = await post(bob, core_id, "publish")
    synced = await post(bob, core_id, "sync")

    assert (early.status_code, twice.status_code) == (400, 400)
    assert error_of(twice)["code"] == "VALIDATION_ERROR"
    assert error_of(twice)["message"] == "Core is already published as a model"
    assert synced.status_code == 200


async def test_groups_limit_who_sees_the_model(grid: RunningGrid, bob: Caller) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    await post(bob, core_id, "publish", json={"group_ids": ["grp_ops"]})

    async def seen_by(*people: str) -> list[bool]:
        return [bool(await model_slugs(await grid.caller(person))) for person in people]

    assert await seen_by("usr_alice", "usr_bob", "usr_carol") == [True, False, True]
    await post(bob, core_id, "sync", json={"group_ids": ["grp_eng"]})
    assert await seen_by("usr_bob", "usr_carol") == [True, False]
    await post(bob, core_id, "sync")
    assert await seen_by("usr_bob", "usr_carol") == [True, False]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"group_ids": ["grp_unknown"]}, 400),
        ({"group_ids": "grp_eng"}, 422),
        ({"group_ids": [1]}, 422),
        ([], 422),
    ],
)
async def test_a_bad_publication_publishes_nothing(bob: Caller, body: Any, status: int) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    response = await post(bob, core_id, "publish", json=body)

    assert (response.status_code, error_of(response)["code"]) == (status, "VALIDATION_ERROR")
    assert await model_slugs(bob) == []


async def test_unpublishing_takes_the_model_away(bob: Caller) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    await post(bob, core_id, "publish")
    response = await post(bob, core_id, "unpublish")

    assert not [key for key in response.json()["data"]["metadata"] if key.startswith("published")]
    assert await model_slugs(bob) == []
    assert (await post(bob, core_id, "unpublish")).status_code == 400
    assert (await post(bob, core_id, "publish")).status_code == 200


async def test_a_restart_finds_everything_again(config: GridConfig) -> None:
    async with running_grid(config) as first:
        bob = await first.caller("usr_bob")
        refresh_token = (await first.sign_in("usr_bob"))["refresh_token"]
        core_id = await bob.running(ECHO)
        await post(bob, core_id, "publish")
        await bob.invoke(core_id, input={"message": "hi"})
        before = await bob.events(core_id=core_id)

    async with running_grid(config) as second:
        bob = Caller(second.http, bob.bearer)
        core = (await bob("GET", f"{SCAICORE}/cores/{core_id}")).json()["data"]
        refreshed = await second.token(grant_type="refresh_token", refresh_token=refresh_token)

        assert core["status"] == "running"
        assert await model_slugs(bob) == ["scaicore/acme/echo-agent"]
        assert await bob.events(core_id=core_id) == before
        assert refreshed.status_code == 200
        assert (await bob.invoke(core_id, input={"message": "again"}))["output"] == {"response": "again"}
