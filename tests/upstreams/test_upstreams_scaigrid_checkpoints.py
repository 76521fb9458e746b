"""The checkpoint calls of ScaiGrid's ScaiCore module."""

from typing import Any

import httpx
import orjson
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamNonsense, UpstreamRejected
from scaiflow_api.upstreams.scaigrid_checkpoints import Checkpoint, ScaiGridCheckpoints, checkpoint_of

MODULE = "https://grid.test/v1/modules/scaicore"
CHECKPOINTS = f"{MODULE}/checkpoints"
ROW: dict[str, Any] = {
    "id": "chk_1",
    "core_id": "core_1",
    "execution_id": "exec_1",
    "checkpoint_type": "approval",
    "status": "pending",
    "context": {"node_id": "node_review", "resolved_skills": []},
    "prompt": "Well?",
}
READ = Checkpoint("chk_1", "core_1", "exec_1", "approval", "pending", "node_review", ROW)


@pytest.mark.parametrize(
    "envelope",
    [
        {"data": {"checkpoints": [ROW], "next_cursor": "c2"}},
        {"data": {"items": [ROW, "noise", {"status": "pending"}], "next_cursor": "c2"}},
        {"status": "ok", "data": [ROW], "next_cursor": "c2", "has_more": True},
    ],
    ids=["named", "items with noise", "bare"],
)
async def test_a_page_in_every_envelope(
    respx_mock: respx.MockRouter,
    checkpoints: ScaiGridCheckpoints,
    token: SecretStr,
    envelope: dict[str, object],
) -> None:
    respx_mock.get(CHECKPOINTS).respond(json=envelope)
    page = await checkpoints.page(token, core_id="core_1", status="resolved", limit=20, cursor="c1")
    assert (page.checkpoints, page.next_cursor) == ([READ], "c2")
    request = respx_mock.calls.last.request
    assert request.headers["Authorization"] == "Bearer tok-alice"
    assert dict(request.url.params) == {
        "core_id": "core_1",
        "status": "resolved",
        "limit": "20",
        "cursor": "c1",
    }


async def test_what_is_not_asked_for_is_not_sent(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr
) -> None:
    respx_mock.get(CHECKPOINTS).respond(json={"data": {"checkpoints": []}})
    assert (await checkpoints.page(token, limit=50)).checkpoints == []
    assert dict(respx_mock.calls.last.request.url.params) == {"limit": "50"}


async def test_what_a_core_waits_for_is_read_to_the_last_page(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr
) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("cursor", "0"))
        assert (request.url.params["core_id"], request.url.params["status"]) == ("core_1", "pending")
        following = str(at + 1) if at < 2 else None
        rows = [{**ROW, "id": f"chk_{at}"}]
        return httpx.Response(200, json={"data": {"checkpoints": rows, "next_cursor": following}})

    respx_mock.get(CHECKPOINTS).mock(side_effect=page)
    assert [row.id for row in await checkpoints.pending(token, "core_1")] == ["chk_0", "chk_1", "chk_2"]


@pytest.mark.parametrize("context", [None, {}, {"node_id": 7}, "text"])
def test_a_row_need_not_say_which_node_it_stands_for(context: object) -> None:
    checkpoint = checkpoint_of({"id": "chk_1", "context": context})
    assert checkpoint is not None
    assert (checkpoint.node_id, checkpoint.execution_id, checkpoint.status) == (None, None, None)


@pytest.mark.parametrize("row", [{}, {"id": ""}, {"id": 7}, {"id": "c" * 129}, {"id": ".."}])
async def test_a_row_without_a_usable_id_is_nonsense(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr, row: dict[str, object]
) -> None:
    respx_mock.get(f"{CHECKPOINTS}/chk_1").respond(json={"data": row})
    with pytest.raises(UpstreamNonsense):
        await checkpoints.get(token, "chk_1")


@pytest.mark.parametrize("resolution", ["approve", {"decision": "approve", "note": None}, {}])
async def test_a_resolution_is_sent_as_it_is(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr, resolution: Any
) -> None:
    done = {**ROW, "status": "resolved"}
    respx_mock.post(f"{CHECKPOINTS}/chk%2F1/resolve").respond(json={"data": done})
    assert (await checkpoints.resolve(token, "chk/1", resolution)).status == "resolved"
    assert orjson.loads(respx_mock.calls.last.request.content) == {"resolution": resolution}
    await checkpoints.resolve(token, "chk/1", resolution, comment="fine")
    assert orjson.loads(respx_mock.calls.last.request.content)["comment"] == "fine"


async def test_a_resolution_is_never_sent_twice(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr
) -> None:
    route = respx_mock.post(f"{CHECKPOINTS}/chk_1/resolve").respond(503)
    with pytest.raises(UpstreamError):
        await checkpoints.resolve(token, "chk_1", "approve")
    assert route.call_count == 1


async def test_one_that_waits_no_more_is_a_conflict(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr
) -> None:
    error = {"code": "CHECKPOINT_NOT_PENDING", "message": "It is resolved."}
    respx_mock.post(f"{CHECKPOINTS}/chk_1/resolve").respond(409, json={"error": error})
    with pytest.raises(UpstreamRejected) as caught:
        await checkpoints.resolve(token, "chk_1", "approve")
    assert (caught.value.status, caught.value.code) == (409, "CHECKPOINT_NOT_PENDING")


async def test_checkpoints_and_executions_are_cancelled(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr
) -> None:
    respx_mock.post(f"{CHECKPOINTS}/chk_1/cancel").respond(json={"data": ROW})
    respx_mock.post(f"{MODULE}/executions/exec_1/cancel").respond(204)
    await checkpoints.cancel(token, "chk_1")
    await checkpoints.cancel_execution(token, "exec_1")
    assert respx_mock.calls.call_count == 2


async def test_a_refused_call_names_the_permission_that_it_needs(
    respx_mock: respx.MockRouter, checkpoints: ScaiGridCheckpoints, token: SecretStr
) -> None:
    respx_mock.route().respond(403, text="Forbidden")
    needed = []
    for call in (
        checkpoints.page(token, limit=1),
        checkpoints.pending(token, "core_1"),
        checkpoints.get(token, "chk_1"),
        checkpoints.resolve(token, "chk_1", {}),
        checkpoints.cancel(token, "chk_1"),
        checkpoints.cancel_execution(token, "exec_1"),
    ):
        with pytest.raises(UpstreamError) as caught:
            await call
        needed.append(as_app_error(caught.value).detail()["fix"].split("`")[1])
    view, resolve, manage = "scaicore:view", "scaicore:checkpoint_resolve", "scaicore:manage"
    assert needed == [view, view, view, resolve, resolve, manage]
