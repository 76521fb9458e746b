"""Flows: keeping them."""

import asyncio
from typing import Any

import httpx
import pytest
from api_flow_calls import create, numbers
from api_refusals import refused
from people import People

from scaiflow_api.resources import Resources

Json = dict[str, Any]


async def test_a_created_flow_belongs_to_its_maker_and_bears_the_servers_names(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo, name="My Echo", description="says it again")

    assert flow["id"].startswith("flow_")
    assert flow["id"] != echo["id"]
    assert (flow["owner_id"], flow["tenant_id"]) == ("usr_bob", "tnt_acme")
    assert (flow["name"], flow["description"], flow["version"]) == ("My Echo", "says it again", "1.0.0")
    assert flow["content"] == {**echo, "id": flow["id"], "name": "My Echo", "version": "1.0.0"}
    assert flow["created_at"].endswith("Z")


async def test_the_content_gives_name_and_version_where_the_body_does_not(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, {**echo, "version": "2.3.4"})

    assert (flow["name"], flow["version"]) == ("Echo Agent", "2.3.4")


@pytest.mark.parametrize("mark", ["-rc.1", "+build.01", "-RC-1.0a+b", "-" + "x" * 54])
async def test_a_flow_may_begin_as_a_pre_release_and_goes_on_with_plain_numbers(
    api: httpx.AsyncClient, people: People, echo: Json, mark: str
) -> None:
    headers = people.bob.headers
    flow = await create(api, headers, {**echo, "version": f"2.3.9{mark}"})
    url = f"/flows/{flow['id']}"

    saved = await api.put(
        url, json={"content": echo}, headers={**headers, "If-Match": '"2.3.9' + mark + '.r1"'}
    )
    back = await api.post(f"{url}/versions/2.3.9{mark}/restore", headers=headers)

    assert flow["version"] == flow["content"]["version"] == f"2.3.9{mark}"
    assert (saved.status_code, back.status_code) == (200, 200), (saved.text, back.text)
    assert await numbers(api, headers, flow["id"]) == ["2.3.11", "2.3.10", f"2.3.9{mark}"]
    compared = await api.get(f"{url}/diff", params={"from": f"2.3.9{mark}", "to": "current"}, headers=headers)
    assert compared.json()["behaviour"]["nodes"]["changed"] == []


@pytest.mark.parametrize(
    "version", ["1.0.0-01", "1.0", "v1.0.0", "1000000000.0.0", "1.0.0-" + "x" * 55, 1, None]
)
async def test_what_is_no_semantic_version_begins_at_the_first(
    api: httpx.AsyncClient, people: People, echo: Json, version: object
) -> None:
    flow = await create(api, people.bob.headers, {**echo, "version": version})

    assert flow["version"] == flow["content"]["version"] == "1.0.0"


async def test_versions_go_on_behind_the_largest_that_a_content_may_name(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, {**echo, "version": "1.0.999999999"})
    for _ in range(2):
        await api.put(f"/flows/{flow['id']}", json={"content": echo}, headers=people.bob.headers)

    found = await numbers(api, people.bob.headers, flow["id"])

    assert found == ["1.0.1000000001", "1.0.1000000000", "1.0.999999999"]


async def test_a_document_without_id_name_or_version_can_be_saved(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    bare = {key: value for key, value in echo.items() if key not in {"id", "name", "version"}}

    flow = await create(api, people.bob.headers, bare)

    assert (flow["name"], flow["version"]) == ("Untitled Flow", "1.0.0")


async def test_what_was_saved_is_read_back(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    flow = await create(api, people.bob.headers, echo)

    answer = await api.get(f"/flows/{flow['id']}", headers=people.bob.headers)

    assert answer.status_code == 200
    assert answer.json() == flow


async def test_an_unfinished_flow_can_be_saved(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    dangling = {**echo["edges"][0], "target": {"node": "node_gone", "port": "in"}}

    flow = await create(api, people.bob.headers, {**echo, "edges": [dangling]})

    assert flow["content"]["edges"] == [dangling]


@pytest.mark.parametrize(
    "broken",
    [
        {"nodes": "none"},
        {"nodes": [{"id": "a b", "type": "entry_api", "label": "x", "position": {"x": 0, "y": 0}}]},
        {"nodes": [{"id": "a", "type": "entry_chat", "label": "x", "position": {"x": 0, "y": 0}}]},
        {"metadata": {"description": "nul \x00"}},
        {"extra": 2**60},
    ],
)
async def test_what_is_no_flow_document_is_refused_with_its_places(
    api: httpx.AsyncClient, people: People, echo: Json, broken: Json
) -> None:
    answer = await api.post("/flows", json={"content": {**echo, **broken}}, headers=people.bob.headers)

    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert detail["error"] == "invalid_flow"
    assert detail["diagnostics"]
    assert all(
        item["code"].startswith("SF0") and item["severity"] == "error" for item in detail["diagnostics"]
    )


async def test_nothing_is_kept_of_a_refused_flow(
    api: httpx.AsyncClient, people: People, resources: Resources
) -> None:
    await api.post("/flows", json={"content": {"nodes": 1}}, headers=people.bob.headers)

    listed = await api.get("/flows", headers=people.bob.headers)
    assert listed.json() == {"items": [], "total": 0, "next_cursor": None}
    assert [info async for info in resources.blobs.keys("")] == []


async def test_new_content_raises_the_patch_and_keeps_the_old_version(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo)
    changed = {**echo, "metadata": {"description": "changed"}}

    answer = await api.put(
        f"/flows/{flow['id']}", json={"content": changed, "message": "why"}, headers=people.bob.headers
    )

    assert answer.status_code == 200
    assert answer.json()["version"] == answer.json()["content"]["version"] == "1.0.1"
    assert answer.json()["content"]["metadata"] == {"description": "changed"}
    versions = (await api.get(f"/flows/{flow['id']}/versions", headers=people.bob.headers)).json()
    assert [(v["version"], v["is_current"], v["message"]) for v in versions] == [
        ("1.0.1", True, "why"),
        ("1.0.0", False, ""),
    ]
    assert all(v["author_id"] == "usr_bob" and len(v["sha256"]) == 64 and v["size"] > 0 for v in versions)
    old = await api.get(f"/flows/{flow['id']}/versions/1.0.0", headers=people.bob.headers)
    assert old.json()["version"] == old.json()["content"]["version"] == "1.0.0"
    assert old.json()["content"]["metadata"] == echo["metadata"]


async def test_equal_content_still_makes_a_version(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo)

    answer = await api.put(
        f"/flows/{flow['id']}", json={"content": flow["content"]}, headers=people.bob.headers
    )

    assert answer.json()["version"] == "1.0.1"


async def test_a_rename_keeps_the_version_and_shows_in_the_content(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo)

    answer = await api.put(f"/flows/{flow['id']}", json={"name": "Parrot"}, headers=people.bob.headers)

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["version"]) == ("Parrot", "1.0.0")
    assert answer.json()["description"] == flow["description"]
    assert answer.json()["content"]["name"] == "Parrot"


async def test_an_unknown_version_is_named(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    flow = await create(api, people.bob.headers, echo)

    answer = await api.get(f"/flows/{flow['id']}/versions/9.9.9", headers=people.bob.headers)

    assert refused(answer) == (404, "version_not_found")


async def test_a_deleted_flow_is_gone_but_its_document_stays(
    api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
) -> None:
    flow = await create(api, people.bob.headers, echo)

    assert (await api.delete(f"/flows/{flow['id']}", headers=people.bob.headers)).status_code == 204

    for path in ("", "/versions", "/versions/1.0.0"):
        gone = await api.get(f"/flows/{flow['id']}{path}", headers=people.bob.headers)
        assert refused(gone) == (404, "flow_not_found")
    again = await api.delete(f"/flows/{flow['id']}", headers=people.bob.headers)
    assert again.status_code == 404
    key = f"flows/tnt_acme/{flow['id']}/v1.0.0.flow.json"
    assert [info.key async for info in resources.blobs.keys("flows/")] == [key]


class TestConditions:
    """ETag, If-Match, If-None-Match."""

    async def test_an_unchanged_flow_is_not_sent_again(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        flow = await create(api, people.bob.headers, echo)
        tag = (await api.get(f"/flows/{flow['id']}", headers=people.bob.headers)).headers["etag"]

        again = await api.get(f"/flows/{flow['id']}", headers={**people.bob.headers, "If-None-Match": tag})

        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)

    @pytest.mark.parametrize("change", [{"name": "Parrot"}, {"content": {}}])
    async def test_every_change_changes_the_etag(
        self, api: httpx.AsyncClient, people: People, echo: Json, change: Json
    ) -> None:
        flow = await create(api, people.bob.headers, echo)
        before = (await api.get(f"/flows/{flow['id']}", headers=people.bob.headers)).headers["etag"]
        body = {key: echo if key == "content" else value for key, value in change.items()}

        after = (await api.put(f"/flows/{flow['id']}", json=body, headers=people.bob.headers)).headers["etag"]

        assert after != before

    @pytest.mark.parametrize("change", [{"name": "Parrot"}, {"content": {}}])
    async def test_a_save_from_an_old_state_is_refused_and_changes_nothing(
        self, api: httpx.AsyncClient, people: People, echo: Json, change: Json
    ) -> None:
        flow = await create(api, people.bob.headers, echo)
        url = f"/flows/{flow['id']}"
        tag = (await api.get(url, headers=people.bob.headers)).headers["etag"]
        await api.put(url, json={"name": "Faster"}, headers=people.bob.headers)
        body = {key: echo if key == "content" else value for key, value in change.items()}

        late = await api.put(url, json=body, headers={**people.bob.headers, "If-Match": tag})

        assert late.status_code == 412
        assert late.json()["detail"]["error"] == "version_conflict"
        assert late.json()["detail"]["current_version"] == "1.0.0"
        assert (await api.get(url, headers=people.bob.headers)).json()["name"] == "Faster"
        deleted = await api.delete(url, headers={**people.bob.headers, "If-Match": tag})
        assert deleted.status_code == 412

    async def test_of_many_saves_from_one_state_one_wins(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        flow = await create(api, people.bob.headers, echo)
        url = f"/flows/{flow['id']}"
        tag = (await api.get(url, headers=people.bob.headers)).headers["etag"]
        headers = {**people.bob.headers, "If-Match": tag}

        answers = await asyncio.gather(
            *(api.put(url, json={"content": echo}, headers=headers) for _ in range(8))
        )

        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7

    async def test_without_a_condition_every_concurrent_save_becomes_a_version(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        flow = await create(api, people.bob.headers, echo)
        url = f"/flows/{flow['id']}"
        headers = people.bob.headers

        answers = await asyncio.gather(
            *(api.put(url, json={"content": echo}, headers=headers) for _ in range(16))
        )

        assert {answer.status_code for answer in answers} == {200}
        assert sorted(int(answer.json()["version"].split(".")[2]) for answer in answers) == list(range(1, 17))
        for answer in answers:
            read = await api.get(f"{url}/versions/{answer.json()['version']}", headers=headers)
            assert read.status_code == 200


class TestListing:
    """GET /v1/flows."""

    async def test_the_newest_change_comes_first_and_pages_join(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        made = [(await create(api, people.bob.headers, echo, name=f"Flow {n}"))["id"] for n in range(5)]
        await api.put(f"/flows/{made[0]}", json={"description": "touched"}, headers=people.bob.headers)
        expected = [made[0], made[4], made[3], made[2], made[1]]

        first = (await api.get("/flows?limit=2", headers=people.bob.headers)).json()
        second = (
            await api.get(f"/flows?limit=2&cursor={first['next_cursor']}", headers=people.bob.headers)
        ).json()
        third = (
            await api.get(f"/flows?limit=2&cursor={second['next_cursor']}", headers=people.bob.headers)
        ).json()

        assert [item["id"] for page in (first, second, third) for item in page["items"]] == expected
        assert (first["total"], third["next_cursor"]) == (5, None)
        assert set(first["items"][0]) == {
            *("id", "name", "description", "owner_id", "tenant_id", "version", "created_at", "updated_at")
        }

    async def test_search_takes_a_part_of_the_name_literally(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        for name in ("Refund 100%", "Refund 1000", "Hello"):
            await create(api, people.bob.headers, echo, name=name)

        found = (await api.get("/flows", params={"search": "refund 100%"}, headers=people.bob.headers)).json()

        assert [item["name"] for item in found["items"]] == ["Refund 100%"]
        assert found["total"] == 1

    @pytest.mark.parametrize("cursor", ["x", "e30", "WyIxIiwiMiJd", "%00"])
    async def test_a_foreign_cursor_is_refused(
        self, api: httpx.AsyncClient, people: People, cursor: str
    ) -> None:
        answer = await api.get("/flows", params={"cursor": cursor}, headers=people.bob.headers)

        assert refused(answer) == (400, "invalid_cursor")

    @pytest.mark.parametrize("limit", ["0", "501", "many"])
    async def test_a_limit_out_of_bounds_is_refused(
        self, api: httpx.AsyncClient, people: People, limit: str
    ) -> None:
        answer = await api.get("/flows", params={"limit": limit}, headers=people.bob.headers)

        assert refused(answer) == (422, "invalid_request")
