"""What runs wait for: listed, read and answered by those who may, and runs that are ended."""

from typing import Any

import httpx
import pytest
from api_flow_calls import grant
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal

from scaiflow_api.resources import Resources

Json = dict[str, Any]
CHECKPOINTS = "/scaicore/checkpoints"


async def deployed(
    api: httpx.AsyncClient, headers: dict[str, str], content: Json, name: str
) -> tuple[str, str]:
    made = await api.post("/flows", json={"content": content, "name": name}, headers=headers)
    flow_id = made.json()["id"]
    answer = await api.post(f"/flows/{flow_id}/deploy", json={"publish_as_model": False}, headers=headers)
    return flow_id, answer.json()["core_id"]


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json) -> tuple[str, str]:
    """A flow of bob's, and its Core."""
    return await deployed(api, people.bob.headers, echo, "Bob's")


@pytest.fixture
def core(flow: tuple[str, str]) -> str:
    return flow[1]


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]["checkpoints"]]


async def test_the_list_holds_what_waits_in_visible_flows_with_rows_as_they_came(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json, core: str
) -> None:
    other = (await deployed(api, people.erin.headers, echo, "Erin's"))[1]
    bobs, erins = grid.add_checkpoint(core), grid.add_checkpoint(other)
    grid.add_checkpoint("core_of_nobody_here")
    grid.add_checkpoint(core, status="resolved")

    listed = await api.get(CHECKPOINTS, headers=people.bob.headers)

    assert listed.json() == {"data": {"checkpoints": [bobs], "next_cursor": "next"}}
    assert ids(await api.get(CHECKPOINTS, headers=people.erin.headers)) == [erins["id"]]
    assert ids(await api.get(CHECKPOINTS, headers=people.carol.headers)) == []
    assert ids(await api.get(f"{CHECKPOINTS}?core_id={core}", headers=people.alice.headers)) == [bobs["id"]]
    hidden = await api.get(f"{CHECKPOINTS}?core_id={core}", headers=people.erin.headers)
    assert refused(hidden) == (404, "core_not_found")


@pytest.mark.parametrize(
    ("status", "asked"), [("resolved", "resolved"), ("failed", "expired,cancelled"), ("expired", "expired")]
)
async def test_a_status_is_asked_for_in_the_words_of_scaigrid(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, status: str, asked: str
) -> None:
    kept = [grid.add_checkpoint(core, status=one)["id"] for one in ("resolved", "expired", "cancelled")]

    found = ids(await api.get(f"{CHECKPOINTS}?status={status}&limit=7&cursor=c", headers=people.bob.headers))

    assert dict(grid.requests[-1].url.params) == {"status": asked, "limit": "7", "cursor": "c"}
    assert found == [kept[("resolved", "expired", "cancelled").index(one)] for one in asked.split(",")]


async def test_an_unknown_status_is_refused(api: httpx.AsyncClient, people: People) -> None:
    answer = await api.get(f"{CHECKPOINTS}?status=open", headers=people.bob.headers)

    assert refused(answer) == (422, "invalid_request")


@pytest.mark.parametrize("resolution", ["approve", {"decision": "approve", "note": "fine"}])
async def test_an_answer_goes_on_as_it_was_given(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, resolution: Any
) -> None:
    row = grid.add_checkpoint(core)
    body = {"resolution": resolution, "comment": "by hand"}

    answer = await api.post(f"{CHECKPOINTS}/{row['id']}/resolve", json=body, headers=people.bob.headers)
    again = await api.post(f"{CHECKPOINTS}/{row['id']}/resolve", json=body, headers=people.bob.headers)
    read = await api.get(f"{CHECKPOINTS}/{row['id']}", headers=people.bob.headers)

    assert answer.json()["data"] == {**row, "status": "resolved", **body} == read.json()["data"]
    assert refused(again) == (409, "checkpoint_not_pending")


@pytest.mark.parametrize(
    "body", [{}, {"resolution": 1}, {"resolution": ""}, {"resolution": {"n": 2**60}}, {"x": 1}]
)
async def test_an_answer_that_says_nothing_goes_nowhere(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, body: Json
) -> None:
    row = grid.add_checkpoint(core)

    answer = await api.post(f"{CHECKPOINTS}/{row['id']}/resolve", json=body, headers=people.bob.headers)

    assert answer.status_code == 422
    assert "resolve" not in grid.steps


async def test_only_who_may_deploy_answers_and_others_learn_nothing(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    grid: PlayedGrid,
    flow: tuple[str, str],
) -> None:
    row = grid.add_checkpoint(flow[1])
    foreign = grid.add_checkpoint("core_of_nobody_here")
    unnamed = grid.add_checkpoint("core_x")
    del unnamed["core_id"]
    await grant(resources, flow[0], people.erin.id, "edit")

    async def outcome(headers: dict[str, str], checkpoint: str) -> tuple[int, str]:
        url = f"{CHECKPOINTS}/{checkpoint}/resolve"
        answer = await api.post(url, json={"resolution": "yes"}, headers=headers)
        return refused(answer)

    assert await outcome(people.erin.headers, row["id"]) == (403, "insufficient_acl")
    assert await outcome(people.dave.headers, row["id"]) == (404, "checkpoint_not_found")
    assert await outcome(people.alice.headers, foreign["id"]) == (404, "checkpoint_not_found")
    assert await outcome(people.alice.headers, unnamed["id"]) == (404, "checkpoint_not_found")
    assert await outcome(people.alice.headers, "chk_none") == (404, "checkpoint_not_found")
    assert "resolve" not in grid.steps


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        (refusal(403, "FORBIDDEN"), 502, "scaigrid_auth"),
        (refusal(429), 429, "scaigrid_busy"),
        (refusal(500), 502, "scaigrid_api"),
        (httpx.Response(200, text="<html>"), 502, "scaigrid_api"),
        (httpx.ReadTimeout("late"), 504, "scaigrid_timeout"),
    ],
)
@pytest.mark.parametrize("step", ["checkpoints", "checkpoint", "resolve"])
async def test_a_scaigrid_that_fails_is_told_as_documented(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedGrid,
    core: str,
    fault: Any,
    status: int,
    error: str,
    step: str,
) -> None:
    row = grid.add_checkpoint(core)
    grid.faults[step] = [fault] * 3
    calls = {
        "checkpoints": ("GET", CHECKPOINTS, None),
        "checkpoint": ("GET", f"{CHECKPOINTS}/{row['id']}", None),
        "resolve": ("POST", f"{CHECKPOINTS}/{row['id']}/resolve", {"resolution": "yes"}),
    }
    method, url, body = calls[step]

    answer = await api.request(method, url, json=body, headers=people.bob.headers)

    assert refused(answer) == (status, error)


DECISION = {"type": "decision", "field": "verdict", "options": [{"id": "yes", "label": "Yes"}, "no"]}


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ({"options": ["yes", "no"]}, ["yes", "no"]),
        ({"options": None, "context": {"sections": [{"type": "context"}, DECISION]}}, ["yes", "no"]),
        ({"options": "broken", "context": {"sections": [None, "broken"]}}, []),
        ({"options": None}, []),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
async def test_an_answer_that_scaigrid_does_not_take_is_the_callers_fault(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedGrid,
    core: str,
    row: Json,
    options: list[str],
    status: int,
) -> None:
    waiting = grid.add_checkpoint(core)
    waiting |= row
    grid.faults["resolve"] = [refusal(status, "VALIDATION_ERROR", "'maybe' is none of the options")]

    answer = await api.post(
        f"{CHECKPOINTS}/{waiting['id']}/resolve", json={"resolution": "maybe"}, headers=people.bob.headers
    )

    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"]) == (422, "resolution_refused")
    assert (detail["message"], detail["options"]) == ("'maybe' is none of the options", options)
    assert (detail["status"], detail["code"]) == (status, "VALIDATION_ERROR")
    assert ("fix" in detail) == bool(options)


async def test_a_checkpoint_that_waits_while_its_core_does_not_run_is_not_said_to_be_answered(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
) -> None:
    row = grid.add_checkpoint(core)
    grid.faults["resolve"] = [refusal(409, "CORE_NOT_RUNNING", "The Core is 'stopped'; start it first.")]

    answer = await api.post(
        f"{CHECKPOINTS}/{row['id']}/resolve", json={"resolution": "yes"}, headers=people.bob.headers
    )

    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"]) == (502, "scaigrid_api")
    assert (detail["status"], detail["code"]) == (409, "CORE_NOT_RUNNING")


class TestEndingARun:
    @pytest.mark.parametrize("known_by", ["checkpoint", "event"])
    async def test_one_that_the_core_knows_is_ended(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, known_by: str
    ) -> None:
        if known_by == "checkpoint":
            grid.add_checkpoint(core, "exec_9")
        else:
            grid.events = [{"type": "t", "core_id": core, "payload": {"execution_id": "exec_9"}}]

        answer = await api.post(
            f"/scaicore/executions/exec_9/cancel?core_id={core}", headers=people.bob.headers
        )

        assert answer.status_code == 204, answer.text
        assert grid.requests[-1].url.path.endswith("/executions/exec_9/cancel")

    @pytest.mark.parametrize(
        ("fault", "status", "error"),
        [
            (refusal(404, "EXECUTION_NOT_FOUND"), 404, "execution_not_found"),
            (refusal(409, "EXECUTION_NOT_ACTIVE"), 409, "execution_not_active"),
            (refusal(422), 502, "scaigrid_api"),
        ],
    )
    async def test_one_that_cannot_be_ended_is_said_to_be_so(
        self,
        api: httpx.AsyncClient,
        people: People,
        grid: PlayedGrid,
        core: str,
        fault: httpx.Response,
        status: int,
        error: str,
    ) -> None:
        grid.add_checkpoint(core, "exec_9")
        grid.faults["cancel"] = [fault]

        answer = await api.post(
            f"/scaicore/executions/exec_9/cancel?core_id={core}", headers=people.bob.headers
        )

        assert refused(answer) == (status, error)

    async def test_one_of_another_core_is_left_alone(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
    ) -> None:
        grid.add_checkpoint("core_other", "exec_9")
        grid.events = [
            {"type": "t", "core_id": "core_other", "payload": {"execution_id": "exec_9"}},
            {"type": "t", "core_id": core, "payload": None},
        ]

        answer = await api.post(
            f"/scaicore/executions/exec_9/cancel?core_id={core}", headers=people.bob.headers
        )

        assert refused(answer) == (404, "execution_not_found")
        assert "cancel" not in grid.steps
