"""Flows as files: out in every format, and in again."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from api_apps import shared_app
from api_refusals import refused
from fastapi import FastAPI
from people import People

from scaiflow_api.compiler import compile_flow
from scaiflow_api.compiler.bundle.framing import read_bundle
from scaiflow_api.compiler.bundle.modules import write_module
from scaiflow_api.flowgraph import Limits
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings

Json = dict[str, Any]

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {
    "json": ("application/json", "echo-agent.flow.json"),
    "yaml": ("application/yaml", "echo-agent.yaml"),
    "ir": ("application/octet-stream", "echo-agent.scir"),
    "scai": ("text/plain; charset=utf-8", "echo-agent.scai"),
}


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: Json) -> Json:
    """A flow that bob owns."""
    made = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    found: Json = made.json()
    return found


@pytest.fixture
def broken(echo: Json) -> Json:
    """A document that can be stored, but has an error."""
    dangling = {**echo["edges"][0], "target": {"node": "node_gone", "port": "in"}}
    return {**echo, "edges": [dangling]}


async def export(api: httpx.AsyncClient, people: People, flow_id: str, **query: str) -> httpx.Response:
    return await api.get(f"/flows/{flow_id}/export", params=query, headers=people.bob.headers)


async def bring(api: httpx.AsyncClient, people: People, content: str, **fields: Any) -> httpx.Response:
    return await api.post("/flows/import", json={"content": content, **fields}, headers=people.bob.headers)


# Out


@pytest.mark.parametrize("wanted", FILES)
async def test_a_file_has_its_type_and_a_name_to_save_it_under(
    api: httpx.AsyncClient, people: People, flow: Json, wanted: str
) -> None:
    answer = await export(api, people, flow["id"], format=wanted)

    media_type, name = FILES[wanted]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content


async def test_the_document_is_the_default_and_made_to_be_read(
    api: httpx.AsyncClient, people: People, flow: Json
) -> None:
    answer = await export(api, people, flow["id"])

    assert answer.json() == flow["content"]
    assert answer.text.startswith('{\n  "$schema": ')
    assert answer.text.endswith("}\n")


async def test_the_other_formats_are_what_the_stored_document_compiles_to(
    api: httpx.AsyncClient, people: People, flow: Json
) -> None:
    manifest = await export(api, people, flow["id"], format="yaml")
    bundle = await export(api, people, flow["id"], format="ir")
    text = await export(api, people, flow["id"], format="scai")

    compiled = compile_flow(flow["content"])
    assert manifest.text == compiled.body
    assert write_module(read_bundle(bundle.content)) == write_module(compiled.module)
    assert text.text == compile_flow(flow["content"], "scai").body


async def test_a_file_bears_the_present_name_and_the_version_asked_for(
    api: httpx.AsyncClient, people: People, flow: Json, echo: Json
) -> None:
    changed = {**echo, "metadata": {"description": "second"}}
    await api.put(
        f"/flows/{flow['id']}", json={"content": changed, "name": "Ächo 2"}, headers=people.bob.headers
    )

    now = await export(api, people, flow["id"])
    before = await export(api, people, flow["id"], version="1.0.0")
    never = await export(api, people, flow["id"], version="9.9.9")

    assert now.headers["content-disposition"] == 'attachment; filename="acho-2.flow.json"'
    assert (now.json()["version"], now.json()["metadata"]) == ("1.0.1", {"description": "second"})
    assert before.json() == {**flow["content"], "name": "Ächo 2"}
    assert refused(never) == (404, "version_not_found")


async def test_a_name_without_latin_letters_gives_way_to_the_id(
    api: httpx.AsyncClient, people: People, flow: Json
) -> None:
    await api.put(f"/flows/{flow['id']}", json={"name": '流れ"\r\n'}, headers=people.bob.headers)

    answer = await export(api, people, flow["id"])

    assert answer.headers["content-disposition"] == f'attachment; filename="{flow["id"]}.flow.json"'


@pytest.mark.parametrize("wanted", ["yaml", "ir", "scai"])
async def test_a_flow_with_errors_leaves_only_as_a_document(
    api: httpx.AsyncClient, people: People, broken: Json, wanted: str
) -> None:
    made = await api.post("/flows", json={"content": broken}, headers=people.bob.headers)
    flow_id = made.json()["id"]

    denied = await export(api, people, flow_id, format=wanted)
    document = await export(api, people, flow_id)

    assert refused(denied) == (400, "compile_error")
    assert any("node_gone" in item["message"] for item in denied.json()["detail"]["diagnostics"])
    assert document.json()["edges"] == broken["edges"]


async def test_a_format_that_there_is_not_is_refused(
    api: httpx.AsyncClient, people: People, flow: Json
) -> None:
    assert refused(await export(api, people, flow["id"], format="exe")) == (422, "invalid_request")


async def test_only_who_may_see_a_flow_may_export_it(
    api: httpx.AsyncClient, people: People, flow: Json
) -> None:
    path = f"/flows/{flow['id']}/export"

    for person in (people.erin, people.carol, people.dave):
        assert refused(await api.get(path, headers=person.headers)) == (404, "flow_not_found")
    assert refused(await api.get(path, headers=people.nobody.headers)) == (403, "permission_denied")
    assert (await api.get(path, headers=people.alice.headers)).status_code == 200


# In


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.flow.json")), ids=lambda path: path.name)
async def test_every_example_leaves_and_comes_back(
    api: httpx.AsyncClient, people: People, path: Path
) -> None:
    content = orjson.loads(path.read_bytes())
    flow = (await api.post("/flows", json={"content": content}, headers=people.bob.headers)).json()

    for written in ("json", "yaml", "ir"):
        file = await export(api, people, flow["id"], format=written)
        if file.status_code == 400:
            assert written != "json"
            continue
        text = b64encode(file.content).decode() if written == "ir" else file.text
        answer = await bring(api, people, text, format=written)
        assert answer.json() == {"content": flow["content"], "diagnostics": []}, written


@pytest.mark.parametrize("written", ["yaml", "ir", "json"])
async def test_what_was_exported_is_imported_as_it_was(
    api: httpx.AsyncClient, people: People, flow: Json, written: str
) -> None:
    file = (await export(api, people, flow["id"], format=written)).content
    content = b64encode(file).decode() if written == "ir" else file.decode()

    answer = await bring(api, people, content, format=written)

    assert answer.status_code == 200
    assert answer.json() == {"content": flow["content"], "diagnostics": []}
    assert (await api.get("/flows", headers=people.bob.headers)).json()["total"] == 1


async def test_what_compile_answers_can_be_imported(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    for wanted in ("yaml", "ir"):
        request = {"content": echo, "format": wanted}
        compiled = (await api.post("/flows/compile", json=request, headers=people.bob.headers)).json()

        answer = await bring(api, people, compiled["body"], format=compiled["format"])

        assert answer.json()["content"] == echo, wanted


async def test_a_saved_import_is_a_new_flow_of_its_importer(
    api: httpx.AsyncClient, people: People, flow: Json
) -> None:
    manifest = (await export(api, people, flow["id"], format="yaml")).text

    answer = await api.post(
        "/flows/import", json={"content": manifest, "save": True}, headers=people.erin.headers
    )

    made = answer.json()
    assert answer.status_code == 201
    assert made["id"] != flow["id"]
    assert (made["owner_id"], made["name"], made["version"]) == ("usr_erin", "Echo Agent", "1.0.0")
    assert made["content"] == {**flow["content"], "id": made["id"]}
    assert made.pop("diagnostics") == []
    read = await api.get(f"/flows/{made['id']}", headers=people.erin.headers)
    assert (read.json(), read.headers["etag"]) == (made, answer.headers["etag"])


@pytest.mark.parametrize("save", [False, True])
async def test_a_name_takes_the_place_of_the_one_in_the_file(
    api: httpx.AsyncClient, people: People, echo: Json, save: bool
) -> None:
    body = compile_flow(echo).body
    assert isinstance(body, str)

    answer = (await bring(api, people, body, name="  Renamed ", save=save)).json()

    assert answer["content"]["name"] == "Renamed"
    assert answer.get("name", "Renamed") == "Renamed"


async def test_a_manifest_written_by_hand_becomes_a_flow_that_compiles(
    api: httpx.AsyncClient, people: People
) -> None:
    manifest = (
        "core:\n  name: greeter\n  flows:\n    - name: greeter\n      trigger: {type: api}\n"
        '      steps:\n        - rigid: "Hello {{ name }}"\n'
        "          meta: {node_id: node_hello, node_kind: llm_rigid, node_label: Hello,"
        ' node_config: {template: "Hello {{ name }}"}}\n'
    )

    content = (await bring(api, people, manifest)).json()["content"]
    answer = await api.post("/flows/compile", json={"content": content}, headers=people.bob.headers)

    assert [node["type"] for node in content["nodes"]] == ["entry_api", "llm_rigid"]
    assert answer.json()["errors"] == []


async def test_an_edited_step_wins_and_is_pointed_out(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    body = compile_flow(echo).body
    assert isinstance(body, str)
    goal = next(node["config"]["goal"] for node in echo["nodes"] if node["id"] == "node_echo")
    edited = body.replace(f'llm_turn: "{goal}"', 'llm_turn: "Shout: {{message}}"')
    assert edited != body

    answer = (await bring(api, people, edited)).json()

    node = next(item for item in answer["content"]["nodes"] if item["id"] == "node_echo")
    assert node["config"]["goal"] == "Shout: {{message}}"
    assert [(item["severity"], item["node_id"]) for item in answer["diagnostics"]] == [
        ("warning", "node_echo")
    ]


@pytest.mark.parametrize(
    ("written", "content", "said"),
    [
        ("yaml", "", ""),
        ("yaml", "core: [", ""),
        ("yaml", "name: x", "core"),
        ("yaml", "!!python/object/apply:os.system [ls]", ""),
        ("yaml", "core: {name: a, name: b}", ""),
        ("ir", "no base64!", "Base64"),
        ("ir", "é", "Base64"),
        ("ir", "", "SCIR"),
        ("ir", b64encode(b"core: {name: a}").decode(), "SCIR"),
        ("ir", b64encode(b"SCIR\x02\0\0\0\x80").decode(), "version"),
        ("json", "{", "JSON"),
        ("json", '{"a": NaN}', "JSON"),
        ("json", '{"a": "\\ud800"}', "JSON"),
        ("json", "[]", "object"),
    ],
)
@pytest.mark.parametrize("save", [False, True])
async def test_what_is_no_manifest_is_refused_in_a_sentence(
    api: httpx.AsyncClient, people: People, written: str, content: str, said: str, save: bool
) -> None:
    answer = await bring(api, people, content, format=written, save=save)

    assert refused(answer) == (422, "invalid_manifest")
    assert said in answer.json()["detail"]["message"]
    assert answer.json()["detail"]["message"].endswith(".")
    assert (await api.get("/flows", headers=people.bob.headers)).json()["total"] == 0


@pytest.mark.parametrize("save", [False, True])
async def test_a_document_that_could_not_be_stored_is_refused_with_its_places(
    api: httpx.AsyncClient, people: People, echo: Json, save: bool
) -> None:
    text = orjson.dumps({**echo, "nodes": "none"}).decode()

    answer = await bring(api, people, text, format="json", save=save)

    assert refused(answer) == (422, "invalid_flow")
    assert answer.json()["detail"]["diagnostics"][0]["path"] == "nodes"


async def test_an_unfinished_document_may_come_in(
    api: httpx.AsyncClient, people: People, broken: Json
) -> None:
    answer = await bring(api, people, orjson.dumps(broken).decode(), format="json", save=True)

    assert (answer.status_code, answer.json()["content"]["edges"]) == (201, broken["edges"])


async def test_a_bundle_may_be_wrapped_as_the_base64_command_wraps_it(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    bundle = compile_flow(echo, "ir").body
    assert isinstance(bundle, bytes)
    text = b64encode(bundle).decode()
    wrapped = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))

    assert (await bring(api, people, wrapped + "\n", format="ir")).json()["content"] == echo


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": {"nodes": []}},
        {"content": "core: {}", "format": "scai"},
        {"content": "core: {}", "save": "yes"},
        {"content": "core: {}", "name": ""},
        {"content": "core: {}", "what": 1},
        {"content": None},
    ],
)
async def test_a_malformed_request_is_refused(api: httpx.AsyncClient, people: People, body: Json) -> None:
    answer = await api.post("/flows/import", json=body, headers=people.bob.headers)

    assert refused(answer) == (422, "invalid_request")


@pytest.mark.parametrize("written", ["yaml", "ir", "json"])
@pytest.mark.parametrize("save", ["false", "true"])
async def test_half_a_character_is_no_text(
    api: httpx.AsyncClient, people: People, written: str, save: str
) -> None:
    headers = {**people.bob.headers, "Content-Type": "application/json"}
    body = rf'{{"content": "core: \ud800", "format": "{written}", "save": {save}}}'

    answer = await api.post("/flows/import", content=body.encode(), headers=headers)

    assert refused(answer) == (422, "invalid_manifest")


@pytest.mark.parametrize("written", ["yaml", "ir", "json"])
@pytest.mark.parametrize("save", [False, True])
async def test_the_limits_of_documents_hold_for_imports(
    settings: Settings, resources: Resources, people: People, echo: Json, written: str, save: bool
) -> None:
    narrow: FastAPI = shared_app(settings, replace(resources, limits=Limits(max_nodes=1)))
    body = orjson.dumps(echo) if written == "json" else compile_flow(echo, written).body
    content = b64encode(body).decode() if written == "ir" else body
    text = content.decode() if isinstance(content, bytes) else content
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(narrow), base_url="http://api.test/api/v1"
    ) as api:
        answer = await bring(api, people, text, format=written, save=save)

    assert refused(answer) == (413, "flow_too_large")


async def test_importing_takes_the_permission_to_change(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    body = {"content": orjson.dumps(echo).decode(), "format": "json"}

    answer = await api.post("/flows/import", json=body, headers=people.carol.headers)

    assert refused(answer) == (403, "permission_denied")
