"""ScaiGrid's envelopes, as documented on its different pages."""

from typing import Any

import httpx
import orjson
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamNonsense, UpstreamRejected
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaigrid_answers import Core, GridModel

GRID = "https://grid.test"
CORE = f"{GRID}/v1/modules/scaicore/cores/core_1"
GPT = {"slug": "openai/gpt-4o", "display_name": "GPT-4o", "modality": "chat", "context_window": 128000}


async def test_me_returns_what_scaigrid_grants(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    body = {
        "id": "usr_bob",
        "tenant_id": "tnt_acme",
        "roles": ["tenant_user"],
        "permissions": ["scaicore:view", 7],
    }
    respx_mock.get(f"{GRID}/v1/auth/me").respond(json={"status": "ok", "data": body})
    me = await scaigrid.me(token)
    assert (me.id, me.tenant_id, me.roles, me.permissions) == (
        "usr_bob",
        "tnt_acme",
        {"tenant_user"},
        {"scaicore:view"},
    )
    assert respx_mock.calls.last.request.headers["Authorization"] == "Bearer tok-alice"


@pytest.mark.parametrize(
    "envelope",
    [
        {"status": "ok", "data": {"items": [GPT]}},
        {"data": [GPT]},
        {"data": {"models": [GPT]}},
        {"data": [GPT, "noise", {"display_name": "without a name"}]},
    ],
    ids=["paged", "native", "named", "with noise"],
)
async def test_models_in_every_native_envelope(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, envelope: dict[str, object]
) -> None:
    respx_mock.get(f"{GRID}/v1/models").respond(json=envelope)
    assert await scaigrid.models(token) == [GridModel("openai/gpt-4o", "GPT-4o", "chat", 128000, None, GPT)]


async def test_models_in_the_openai_envelope(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    listed: dict[str, Any] = {
        "object": "list",
        "data": [{"id": "openai/gpt-4o", "object": "model", "context_window": 128000}],
    }
    respx_mock.get(f"{GRID}/v1/models").respond(json=listed)
    row = listed["data"][0]
    assert await scaigrid.models(token) == [
        GridModel("openai/gpt-4o", "openai/gpt-4o", None, 128000, None, row)
    ]


@pytest.mark.parametrize("envelope", [{"data": None}, {"data": {"pages": []}}, {}, [], {"data": "no"}])
async def test_a_list_in_no_known_envelope_is_nonsense(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, envelope: object
) -> None:
    respx_mock.get(f"{GRID}/v1/models").respond(json=envelope)
    with pytest.raises(UpstreamNonsense):
        await scaigrid.models(token)


@pytest.mark.parametrize("place", ["data", "beside", "meta"])
async def test_all_pages_of_a_list_are_read(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, place: str
) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("cursor", "0"))
        following = {"next_cursor": str(at + 1) if at < 2 else None}
        data: dict[str, object] = {"items": [{"slug": f"m{at}"}]}
        body = {
            "data": {"data": {**data, **following}},
            "beside": {"data": data, **following},
            "meta": {"data": data, "meta": following},
        }[place]
        return httpx.Response(200, json=body)

    respx_mock.get(f"{GRID}/v1/models").mock(side_effect=page)
    assert [model.slug for model in await scaigrid.models(token)] == ["m0", "m1", "m2"]


async def test_a_cursor_that_repeats_ends_the_list(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    route = respx_mock.get(f"{GRID}/v1/models").respond(json={"data": [{"slug": "m"}], "next_cursor": "same"})
    assert len(await scaigrid.models(token)) == 2
    assert route.call_count == 2


async def test_a_list_of_what_are_no_rows_is_not_taken_for_an_empty_one(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    for data in (["text", 7], [["m"]], {"items": [None]}):
        respx_mock.get(f"{GRID}/v1/models").respond(json={"data": data})
        with pytest.raises(UpstreamNonsense):
            await scaigrid.models(token)


async def test_a_core_is_created_from_yaml(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    row = {
        "id": "core_1",
        "slug": "echo",
        "name": "Echo",
        "status": "created",
        "metadata": {"source_id": "flow_1"},
    }
    respx_mock.post(f"{GRID}/v1/modules/scaicore/cores").respond(201, json={"data": row})
    core = await scaigrid.create_core(token, b"core: {}")
    sent = respx_mock.calls.last.request
    assert (sent.headers["Content-Type"], sent.content) == ("application/yaml", b"core: {}")
    assert (core.id, core.slug, core.status, core.source_id, core.published_slug) == (
        "core_1",
        "echo",
        "created",
        "flow_1",
        None,
    )


@pytest.mark.parametrize(
    "metadata", [{"source_id": "flow_1"}, {"scaiflow_meta": {"source_id": "flow_1"}}], ids=["flat", "nested"]
)
def test_a_core_knows_its_flow(metadata: dict[str, object]) -> None:
    assert Core("core_1", None, None, None, metadata).source_id == "flow_1"


@pytest.mark.parametrize("row", [{}, {"id": ""}, {"id": 7}, {"id": "c" * 129}])
async def test_a_core_without_a_usable_id_is_nonsense(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, row: dict[str, object]
) -> None:
    respx_mock.get(CORE).respond(json={"data": row})
    with pytest.raises(UpstreamNonsense):
        await scaigrid.get_core(token, "core_1")


async def test_groups_are_always_sent_so_that_they_can_be_taken_back(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.post(f"{CORE}/publish").respond(json={"data": {}})
    respx_mock.post(f"{CORE}/sync").respond(json={"data": {}})
    await scaigrid.publish_core(token, "core_1", ["grp_eng"])
    assert orjson.loads(respx_mock.calls.last.request.content) == {"group_ids": ["grp_eng"]}
    await scaigrid.sync_core(token, "core_1", [])
    assert orjson.loads(respx_mock.calls.last.request.content) == {"group_ids": []}


@pytest.mark.parametrize("answer", [httpx.Response(204), httpx.Response(200, json={"data": None})])
async def test_what_is_ordered_is_done_when_no_more_is_said(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, answer: httpx.Response
) -> None:
    respx_mock.route(url__startswith=CORE).mock(return_value=answer)

    await scaigrid.start_core(token, "core_1")
    await scaigrid.publish_core(token, "core_1", [])
    await scaigrid.sync_core(token, "core_1", [])
    await scaigrid.delete_core(token, "core_1")


async def test_a_web_page_does_not_say_that_something_is_done(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.route(url__startswith=CORE).respond(200, html="<h1>Sign in</h1>")

    for order in (
        scaigrid.start_core(token, "core_1"),
        scaigrid.publish_core(token, "core_1", []),
        scaigrid.sync_core(token, "core_1", []),
        scaigrid.delete_core(token, "core_1"),
    ):
        with pytest.raises(UpstreamNonsense):
            await order


async def test_deleting_a_core_that_is_gone_is_fine(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    route = respx_mock.delete(CORE)
    route.side_effect = [httpx.Response(204), httpx.Response(404), httpx.Response(409, json={})]
    await scaigrid.delete_core(token, "core_1")
    await scaigrid.delete_core(token, "core_1")
    with pytest.raises(UpstreamRejected):
        await scaigrid.delete_core(token, "core_1")


async def test_invoke_sends_what_is_given_and_reads_the_run(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    run = {"execution_id": "exec_1", "status": "SUSPENDED", "output": None, "checkpoint_id": "chk_1"}
    respx_mock.post(f"{CORE}/invoke").respond(json={"data": run})
    execution = await scaigrid.invoke(token, "core_1", {"message": "hi"})
    assert orjson.loads(respx_mock.calls.last.request.content) == {"input": {"message": "hi"}}
    assert (execution.status, execution.checkpoint_id, execution.error) == ("SUSPENDED", "chk_1", None)
    await scaigrid.invoke(token, "core_1", {}, flow_name="f", instance_key="k")
    assert orjson.loads(respx_mock.calls.last.request.content) == {
        "input": {},
        "flow_name": "f",
        "instance_key": "k",
    }


async def test_an_events_page_is_handed_on_byte_for_byte(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    raw = b'{"data": { "events":[{"core_id":"core_1","payload":{"n":1.50, "e":1e2}} ],"next_cursor":"c2"} }'
    respx_mock.get(f"{GRID}/v1/modules/scaicore/events").respond(content=raw)
    page = await scaigrid.events(token, core_id="core_1", limit=50)
    assert dict(respx_mock.calls.last.request.url.params) == {"core_id": "core_1", "limit": "50"}
    assert page.only(frozenset({"core_1"})) == raw
    assert orjson.loads(page.only(frozenset({"core_2"}))) == {"data": {"events": [], "next_cursor": "c2"}}


@pytest.mark.parametrize("data", [{}, {"events": None}, {"events": ["x"]}])
async def test_events_without_a_list_are_nonsense(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, data: dict[str, object]
) -> None:
    respx_mock.get(f"{GRID}/v1/modules/scaicore/events").respond(json={"data": data})
    with pytest.raises(UpstreamNonsense):
        await scaigrid.events(token, limit=50)


async def test_a_refused_call_names_the_permission_that_it_needs(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.route().respond(403, text="Forbidden")
    needed = []
    for call in (
        scaigrid.models(token),
        scaigrid.create_core(token, b""),
        scaigrid.get_core(token, "core_1"),
        scaigrid.start_core(token, "core_1"),
        scaigrid.invoke(token, "core_1", {}),
        scaigrid.events(token, limit=1),
    ):
        with pytest.raises(UpstreamError) as caught:
            await call
        needed.append(as_app_error(caught.value).detail()["fix"].split("`")[1])
    assert needed == [
        "models:list",
        "scaicore:manage",
        "scaicore:view",
        "scaicore:manage",
        "scaicore:manage",
        "scaicore:view",
    ]
