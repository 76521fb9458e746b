"""Out of ScaiGrid: POST /v1/flows/{id}/undeploy and DELETE /v1/flows/{id}?undeploy=true."""

import asyncio

import httpx
import pytest
from api_flow_calls import grant
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal

from scaiflow_api.resources import Resources


async def deploy(api: httpx.AsyncClient, people: People, flow: str) -> None:
    answer = await api.post(f"/flows/{flow}/deploy", headers=people.bob.headers)
    assert answer.status_code == 200, answer.text


async def history(api: httpx.AsyncClient, people: People, flow: str) -> list[tuple[str, str | None]]:
    rows = await api.get(f"/flows/{flow}/deployments?include=failed", headers=people.alice.headers)
    return [(row["status"], row["core_id"]) for row in rows.json()]


class TestUndeploy:
    async def test_the_core_is_deleted_and_the_flow_stays(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.bob.headers
        for _ in range(2):
            await deploy(api, people, flow)
        grid.steps.clear()

        answer = await api.post(f"/flows/{flow}/undeploy", headers=headers)

        assert (answer.status_code, answer.json()) == (200, {"core_ids": ["core_1"]})
        assert (grid.steps, grid.cores) == (["delete"], {})
        assert await history(api, people, flow) == [("undeployed", "core_1")] * 2
        assert (await api.get(f"/flows/{flow}/drift", headers=headers)).json()["status"] == "not_deployed"
        again = await api.post(f"/flows/{flow}/undeploy", headers=headers)
        assert again.json() == {"core_ids": []}
        grid.steps.clear()
        await deploy(api, people, flow)
        assert grid.steps[0] == "create", "the old Core is not asked for"
        assert (await history(api, people, flow))[0] == ("deployed", "core_2")

    async def test_a_flow_that_was_never_deployed_has_nothing_to_delete(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        answer = await api.post(f"/flows/{flow}/undeploy", headers=people.bob.headers)

        assert (answer.status_code, answer.json(), grid.steps) == (200, {"core_ids": []}, [])

    async def test_a_core_that_is_gone_already_is_done(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        await deploy(api, people, flow)
        grid.cores.clear()

        answer = await api.post(f"/flows/{flow}/undeploy", headers=people.bob.headers)

        assert (answer.status_code, answer.json()) == (200, {"core_ids": ["core_1"]})
        assert await history(api, people, flow) == [("undeployed", "core_1")]

    async def test_a_core_whose_id_was_lost_is_found_by_the_flow_it_carries(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        grid.add_core(source_id="flow_other", slug="other")
        grid.faults["create"] = [httpx.ReadTimeout("slow")]
        await api.post(f"/flows/{flow}/deploy", headers=people.bob.headers)
        grid.add_core(source_id=flow, slug="echo-agent", status="created")

        answer = await api.post(f"/flows/{flow}/undeploy", headers=people.bob.headers)

        assert answer.json() == {"core_ids": ["core_2"]}
        assert list(grid.cores) == ["core_1"]

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            (refusal(409, "INVALID_STATE", "in error"), (502, "scaicore_delete_failed")),
            (httpx.Response(503), (502, "scaicore_delete_failed")),
            (refusal(403), (502, "scaigrid_auth")),
            (refusal(429), (429, "scaigrid_busy")),
        ],
    )
    async def test_when_scaigrid_refuses_nothing_is_said_to_be_gone(
        self,
        api: httpx.AsyncClient,
        people: People,
        grid: PlayedGrid,
        flow: str,
        fault: httpx.Response,
        outcome: tuple[int, str],
    ) -> None:
        await deploy(api, people, flow)
        grid.faults["delete"] = [fault] * 3

        for path, method in ((f"/flows/{flow}/undeploy", "POST"), (f"/flows/{flow}?undeploy=true", "DELETE")):
            grid.faults["delete"] = [fault] * 4
            answer = await api.request(method, path, headers=people.bob.headers)
            assert refused(answer) == outcome
            assert await history(api, people, flow) == [("deployed", "core_1")]
        assert (await api.get(f"/flows/{flow}", headers=people.bob.headers)).status_code == 200
        grid.faults.clear()
        done = await api.delete(f"/flows/{flow}?undeploy=true", headers=people.bob.headers)
        assert (done.status_code, grid.cores) == (204, {})

    @pytest.mark.parametrize(
        ("who", "level", "outcome"),
        [
            ("alice", None, None),
            ("erin", "deploy", None),
            ("erin", "edit", (403, "insufficient_acl")),
            ("erin", None, (404, "flow_not_found")),
            ("dave", None, (404, "flow_not_found")),
            ("root", None, (403, "foreign_tenant")),
            ("carol", "deploy", (403, "permission_denied")),
        ],
    )
    async def test_who_may(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        grid: PlayedGrid,
        flow: str,
        who: str,
        level: str | None,
        outcome: tuple[int, str] | None,
    ) -> None:
        await deploy(api, people, flow)
        person = getattr(people, who)
        if level is not None:
            await grant(resources, flow, person.id, level)

        answer = await api.post(f"/flows/{flow}/undeploy", headers=person.headers)

        assert answer.status_code == 200 if outcome is None else refused(answer) == outcome
        assert bool(grid.cores) == (outcome is not None)


class TestDelete:
    async def test_a_plain_delete_leaves_the_core_running(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        await deploy(api, people, flow)
        grid.steps.clear()

        answer = await api.delete(f"/flows/{flow}", headers=people.bob.headers)

        assert (answer.status_code, grid.steps, list(grid.cores)) == (204, [], ["core_1"])

    async def test_with_undeploy_both_go_and_the_flow_can_come_back(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.bob.headers
        await deploy(api, people, flow)

        answer = await api.delete(f"/flows/{flow}?undeploy=true", headers=headers)

        assert (answer.status_code, grid.cores) == (204, {})
        assert refused(await api.get(f"/flows/{flow}", headers=headers)) == (404, "flow_not_found")
        assert (await api.post(f"/flows/{flow}/restore", headers=headers)).status_code == 200
        assert await history(api, people, flow) == [("undeployed", "core_1")]

    async def test_a_condition_is_judged_before_the_core_is_touched(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        await deploy(api, people, flow)

        answer = await api.delete(
            f"/flows/{flow}?undeploy=true", headers={**people.bob.headers, "If-Match": '"0.0.0.r0"'}
        )

        assert refused(answer) == (412, "version_conflict")
        assert list(grid.cores) == ["core_1"]

    async def test_a_super_admin_deletes_in_another_tenant_but_runs_nothing_there(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.root.headers
        refusal_ = await api.delete(f"/flows/{flow}?undeploy=true", headers=headers)
        assert refused(refusal_) == (403, "foreign_tenant")
        assert (await api.delete(f"/flows/{flow}", headers=headers)).status_code == 204

    async def test_a_deploy_that_is_under_way_is_waited_for_and_undone(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.bob.headers
        creating, go_on = asyncio.Event(), asyncio.Event()

        async def hold(_: httpx.Request) -> None:
            creating.set()
            await go_on.wait()

        grid.faults["create"] = [hold]
        deploying = asyncio.create_task(api.post(f"/flows/{flow}/deploy", headers=headers))
        await creating.wait()
        deleting = asyncio.create_task(api.delete(f"/flows/{flow}?undeploy=true", headers=headers))
        await asyncio.sleep(0.1)
        assert not deleting.done()
        go_on.set()

        assert (await deploying).status_code == 200
        assert (await deleting).status_code == 204
        assert grid.cores == {}

    async def test_a_deploy_that_comes_later_finds_no_flow(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        headers = people.bob.headers
        await deploy(api, people, flow)
        removing, go_on = asyncio.Event(), asyncio.Event()

        async def hold(_: httpx.Request) -> None:
            removing.set()
            await go_on.wait()

        grid.faults["delete"] = [hold]
        deleting = asyncio.create_task(api.delete(f"/flows/{flow}?undeploy=true", headers=headers))
        await removing.wait()
        deploying = asyncio.create_task(api.post(f"/flows/{flow}/deploy", headers=headers))
        await asyncio.sleep(0.1)
        go_on.set()

        assert (await deleting).status_code == 204
        assert refused(await deploying) == (404, "flow_not_found")
        assert grid.cores == {}
