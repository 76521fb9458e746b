"""What differs between versions, and between a flow and its Core."""

import httpx
import pytest
from api_flow_calls import Json, create, grant
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal
from sqlalchemy import update

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.resources import Resources


def moved(content: Json) -> Json:
    """The same flow, drawn elsewhere."""
    first, *others = content["nodes"]
    return {**content, "nodes": [{**first, "position": {"x": 1, "y": 2}}, *others]}


def asking_more(content: Json) -> Json:
    """A flow whose entry asks for a field more."""
    first, *others = content["nodes"]
    schema = {"message": "string", "language": "string"}
    entry = {**first, "config": {**first["config"], "input_schema": schema}}
    return {**content, "nodes": [entry, *others]}


@pytest.fixture
def promising(echo: Json) -> Json:
    """The echo agent with an entry that says what it takes."""
    first, *others = echo["nodes"]
    entry = {**first, "config": {**first["config"], "input_schema": {"message": "string"}}}
    return {**echo, "nodes": [entry, *others]}


async def save(api: httpx.AsyncClient, people: People, flow: str, **body: object) -> None:
    answer = await api.put(f"/flows/{flow}", json=body, headers=people.bob.headers)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, promising: Json) -> str:
    """A flow of bob's: 1.0.1 is drawn elsewhere, 1.0.2 asks its callers for more."""
    flow_id = str((await create(api, people.bob.headers, promising))["id"])
    await save(api, people, flow_id, content=moved(promising))
    await save(api, people, flow_id, content=asking_more(moved(promising)))
    return flow_id


class TestDiff:
    """GET /v1/flows/{id}/diff."""

    async def test_it_tells_behaviour_from_drawing_and_who_could_break(
        self, api: httpx.AsyncClient, people: People, flow: str, promising: Json
    ) -> None:
        answer = await api.get(f"/flows/{flow}/diff?from=1.0.0&to=1.0.2", headers=people.bob.headers)

        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["from"], found["to"], found["equal"]) == ("1.0.0", "1.0.2", False)
        entry = promising["nodes"][0]
        acting = {"path": "config.input_schema.language", "change": "added", "new": "string"}
        assert found["behaviour"]["nodes"]["changed"] == [{"name": entry["id"], "changes": [acting]}]
        (drawn,) = found["layout"]["nodes"]["changed"]
        assert {change["path"] for change in drawn["changes"]} == {"position.x", "position.y"}
        assert found["callers"]["breaking"] is True
        assert "asks for a new field 'language'" in found["callers"]["reasons"][0]

    async def test_a_version_that_only_moved_breaks_nobody(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        found = (await api.get(f"/flows/{flow}/diff?from=1.0.0&to=1.0.1", headers=people.bob.headers)).json()

        assert found["behaviour"]["nodes"]["changed"] == found["behaviour"]["document"] == []
        assert found["callers"] == {"breaking": False, "reasons": []}
        assert found["layout"]["nodes"]["changed"]

    async def test_to_is_the_current_version_unless_told_otherwise(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        headers = people.bob.headers
        told = (await api.get(f"/flows/{flow}/diff?from=1.0.1&to=current", headers=headers)).json()

        assert told["to"] == "1.0.2"
        assert (await api.get(f"/flows/{flow}/diff?from=1.0.1", headers=headers)).json() == told
        same = (await api.get(f"/flows/{flow}/diff?from=current&to=1.0.2", headers=headers)).json()
        assert same["equal"] is True

    @pytest.mark.parametrize(
        ("query", "outcome"),
        [
            ("from=9.9.9", (404, "version_not_found")),
            ("from=1.0.0&to=newest", (404, "version_not_found")),
            ("from=deployed", (404, "not_deployed")),
            ("from=1.0.0&to=draft", (404, "draft_not_found")),
            ("", (422, "invalid_request")),
            ("from=" + "1" * 65, (422, "invalid_request")),
        ],
    )
    async def test_what_is_not_there_is_named(
        self, api: httpx.AsyncClient, people: People, flow: str, query: str, outcome: tuple[int, str]
    ) -> None:
        answer = await api.get(f"/flows/{flow}/diff?{query}", headers=people.bob.headers)

        assert refused(answer) == outcome

    async def test_a_viewer_may_and_others_see_nothing(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await grant(resources, flow, "grp_ops", "view")
        for path in ("diff?from=1.0.0", "drift"):
            assert (await api.get(f"/flows/{flow}/{path}", headers=people.carol.headers)).status_code == 200
            for who in (people.erin, people.dave):
                answer = await api.get(f"/flows/{flow}/{path}", headers=who.headers)
                assert refused(answer) == (404, "flow_not_found")

    async def test_a_version_with_errors_can_be_compared(
        self, api: httpx.AsyncClient, people: People, flow: str, promising: Json
    ) -> None:
        await save(api, people, flow, content={**promising, "edges": [], "nodes": promising["nodes"][1:]})

        found = (await api.get(f"/flows/{flow}/diff?from=1.0.2", headers=people.bob.headers)).json()

        assert [node["id"] for node in found["behaviour"]["nodes"]["removed"]] == [
            promising["nodes"][0]["id"]
        ]
        assert found["callers"]["breaking"] is True


class TestDrift:
    """GET /v1/flows/{id}/drift."""

    async def drift(self, api: httpx.AsyncClient, people: People, flow: str) -> Json:
        answer = await api.get(f"/flows/{flow}/drift", headers=people.bob.headers)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def test_a_flow_that_was_never_deployed(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        assert await self.drift(api, people, flow) == {
            "status": "not_deployed",
            "current_version": "1.0.2",
            "deployment": None,
            "changes": None,
        }

    async def test_it_follows_deploys_and_saves(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.bob.headers
        await api.post(f"/flows/{flow}/deploy", json={"version": "1.0.0"}, headers=headers)

        behind = await self.drift(api, people, flow)
        assert (behind["status"], behind["deployment"]["flow_version"]) == ("drifted", "1.0.0")
        assert behind["changes"]["callers"]["breaking"] is True
        asked = (await api.get(f"/flows/{flow}/diff?from=deployed", headers=headers)).json()
        assert (asked.pop("from"), asked.pop("to")) == ("1.0.0", "1.0.2")
        assert asked == behind["changes"]

        await api.post(f"/flows/{flow}/deploy", headers=headers)
        level = await self.drift(api, people, flow)
        assert (level["status"], level["deployment"]["core_id"]) == ("in_sync", "core_1")
        assert level["changes"]["equal"] is True

    async def test_moving_a_node_is_no_drift(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json
    ) -> None:
        flow = str((await create(api, people.bob.headers, echo))["id"])
        await api.post(f"/flows/{flow}/deploy", headers=people.bob.headers)
        await save(api, people, flow, content=moved(echo))

        found = await self.drift(api, people, flow)

        assert (found["status"], found["current_version"]) == ("in_sync", "1.0.1")
        assert found["changes"]["equal"] is False

    async def test_a_rename_is_drift_because_it_changes_the_address(
        self, api: httpx.AsyncClient, people: People, resources: Resources, grid: PlayedGrid, flow: str
    ) -> None:
        await save(api, people, flow, name="Before The Deploy")
        await api.post(f"/flows/{flow}/deploy", headers=people.bob.headers)
        assert (await self.drift(api, people, flow))["changes"]["equal"] is True
        await save(api, people, flow, name="Parrot")

        found = await self.drift(api, people, flow)

        assert found["status"] == "drifted"
        assert found["changes"]["behaviour"]["document"] == [
            {"path": "name", "change": "changed", "old": "Before The Deploy", "new": "Parrot"}
        ]
        assert found["changes"]["callers"]["breaking"] is True
        async with resources.db.write() as session:
            await session.execute(update(Deployment).values(flow_name=None))
        assert (await self.drift(api, people, flow))["status"] == "in_sync", "an old row knows no name"

    async def test_a_deploy_that_failed_after_the_core_had_it_counts(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.bob.headers
        await api.post(f"/flows/{flow}/deploy", json={"version": "1.0.0"}, headers=headers)
        grid.faults["sync"] = [refusal(422)]
        failed = await api.post(f"/flows/{flow}/deploy", headers=headers)
        assert refused(failed) == (502, "scaicore_publish_failed")

        found = await self.drift(api, people, flow)

        assert (found["status"], found["deployment"]["flow_version"]) == ("in_sync", "1.0.2")
        assert found["deployment"]["status"] == "failed"
        grid.faults["replace"] = [refusal(422)]
        await api.post(f"/flows/{flow}/deploy", json={"version": "1.0.0"}, headers=headers)
        assert (await self.drift(api, people, flow)) == found, "this one never reached the Core"
