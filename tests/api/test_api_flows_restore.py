"""Back from deletion, and back to an older version."""

from typing import Any

import httpx
import pytest
from api_flow_calls import Json, create, grant, numbers
from api_refusals import refused
from people import People

from scaiflow_api.resources import Resources


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: Json) -> str:
    """A flow that bob owns, in two versions."""
    flow_id: str = (await create(api, people.bob.headers, echo, description="first"))["id"]
    content = {**echo, "metadata": {"description": "second"}}
    await api.put(f"/flows/{flow_id}", json={"content": content}, headers=people.bob.headers)
    return flow_id


class TestDeletedFlow:
    """POST /v1/flows/{id}/restore."""

    async def test_it_comes_back_whole(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        headers = people.bob.headers
        await grant(resources, flow, "usr_erin", "edit")
        before = await api.get(f"/flows/{flow}", headers=headers)
        await api.delete(f"/flows/{flow}", headers=headers)

        answer = await api.post(f"/flows/{flow}/restore", headers=headers)

        assert answer.status_code == 200, answer.text
        assert answer.json() == {**before.json(), "updated_at": answer.json()["updated_at"]}
        assert answer.headers["etag"] != before.headers["etag"]
        assert await numbers(api, headers, flow) == ["1.0.1", "1.0.0"]
        assert (await api.get("/flows", headers=headers)).json()["total"] == 1
        assert (await api.get("/flows?deleted=true", headers=headers)).json()["total"] == 0
        saved = await api.put(f"/flows/{flow}", json={"name": "x"}, headers=people.erin.headers)
        assert saved.status_code == 200, "grants came back too"

    async def test_versions_go_on_where_they_were(
        self, api: httpx.AsyncClient, people: People, flow: str, echo: Json
    ) -> None:
        headers = people.bob.headers
        for _ in range(2):
            await api.delete(f"/flows/{flow}", headers=headers)
            await api.post(f"/flows/{flow}/restore", headers=headers)
            await api.put(f"/flows/{flow}", json={"content": echo}, headers=headers)

        assert await numbers(api, headers, flow) == ["1.0.3", "1.0.2", "1.0.1", "1.0.0"]

    @pytest.mark.parametrize(
        ("who", "level", "outcome"),
        [
            ("alice", None, None),
            ("root", None, None),
            ("erin", "admin", None),
            ("erin", None, (404, "flow_not_found")),
            ("erin", "view", (404, "flow_not_found")),
            ("erin", "deploy", (404, "flow_not_found")),
            ("dave", "admin", (404, "flow_not_found")),
            ("carol", "admin", (403, "permission_denied")),
        ],
    )
    async def test_who_may(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        who: str,
        level: str | None,
        outcome: tuple[int, str] | None,
    ) -> None:
        person = getattr(people, who)
        if level is not None:
            await grant(resources, flow, person.id, level)
        await api.delete(f"/flows/{flow}", headers=people.bob.headers)

        answer = await api.post(f"/flows/{flow}/restore", headers=person.headers)

        assert outcome is None or refused(answer) == outcome
        there = await api.get(f"/flows/{flow}", headers=people.bob.headers)
        assert (answer.status_code, there.status_code) == (
            (200, 200) if outcome is None else (outcome[0], 404)
        )

    async def test_a_flow_that_is_not_deleted_is_left_alone(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await grant(resources, flow, "usr_erin", "edit")

        for who, outcome in (
            ("bob", (409, "flow_not_deleted")),
            ("erin", (403, "insufficient_acl")),
            ("dave", (404, "flow_not_found")),
        ):
            answer = await api.post(f"/flows/{flow}/restore", headers=getattr(people, who).headers)
            assert refused(answer) == outcome, who
        unknown = await api.post("/flows/flow_unknown/restore", headers=people.bob.headers)
        assert refused(unknown) == (404, "flow_not_found")


class TestOlderVersion:
    """POST /v1/flows/{id}/versions/{version}/restore."""

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (None, "Restored 1.0.0"),
            ({}, "Restored 1.0.0"),
            ({"message": "back"}, "back"),
            ({"message": ""}, ""),
        ],
    )
    async def test_it_becomes_the_newest_under_the_present_name(
        self, api: httpx.AsyncClient, people: People, flow: str, echo: Json, body: Any, message: str
    ) -> None:
        headers = people.bob.headers
        await api.put(f"/flows/{flow}", json={"name": "Parrot", "description": "now"}, headers=headers)

        answer = await api.post(f"/flows/{flow}/versions/1.0.0/restore", json=body, headers=headers)

        assert answer.status_code == 200, answer.text
        now = answer.json()
        assert (now["version"], now["name"], now["description"]) == ("1.0.2", "Parrot", "now")
        assert now["content"] == {**echo, "id": flow, "name": "Parrot", "version": "1.0.2"}
        assert (await api.get(f"/flows/{flow}", headers=headers)).json() == now
        newest = (await api.get(f"/flows/{flow}/versions", headers=headers)).json()[0]
        assert (newest["version"], newest["message"], newest["author_id"]) == ("1.0.2", message, "usr_bob")
        assert await numbers(api, headers, flow) == ["1.0.2", "1.0.1", "1.0.0"]

    async def test_it_takes_a_condition(self, api: httpx.AsyncClient, people: People, flow: str) -> None:
        headers = people.bob.headers
        tag = (await api.get(f"/flows/{flow}", headers=headers)).headers["etag"]
        url = f"/flows/{flow}/versions/1.0.0/restore"

        assert (await api.post(url, headers={**headers, "If-Match": tag})).status_code == 200
        late = await api.post(url, headers={**headers, "If-Match": tag})

        assert refused(late) == (412, "version_conflict")

    @pytest.mark.parametrize(
        ("who", "level", "outcome"),
        [
            ("erin", None, (404, "flow_not_found")),
            ("erin", "view", (403, "insufficient_acl")),
            ("erin", "edit", None),
            ("dave", None, (404, "flow_not_found")),
        ],
    )
    async def test_who_may(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        who: str,
        level: str | None,
        outcome: tuple[int, str] | None,
    ) -> None:
        person = getattr(people, who)
        if level is not None:
            await grant(resources, flow, person.id, level)

        answer = await api.post(f"/flows/{flow}/versions/1.0.0/restore", headers=person.headers)

        assert answer.status_code == 200 if outcome is None else refused(answer) == outcome

    async def test_an_unknown_version_is_named(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        answer = await api.post(f"/flows/{flow}/versions/1.0.9/restore", headers=people.bob.headers)

        assert refused(answer) == (404, "version_not_found")
        assert await numbers(api, people.bob.headers, flow) == ["1.0.1", "1.0.0"]
