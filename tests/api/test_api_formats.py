"""What a document compiles to: one meaning in three forms."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from api_refusals import refused
from people import People

from scaiflow_api.compiler import compile_flow
from scaiflow_api.compiler.bundle.framing import read_bundle
from scaiflow_api.compiler.bundle.modules import write_module

Json = dict[str, Any]

EXAMPLES = Path(__file__).parents[2] / "examples"
FORMATS = ["yaml", "ir", "scai"]


async def compiled(api: httpx.AsyncClient, people: People, content: Json, wanted: str) -> Json:
    answer = await api.post(
        "/flows/compile", json={"content": content, "format": wanted}, headers=people.carol.headers
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_a_bundle_comes_in_base64(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    answer = await compiled(api, people, echo, "ir")

    data = b64decode(answer["body"], validate=True)
    assert (answer["format"], answer["errors"], data[:8]) == ("ir", [], b"SCIR\x01\0\0\0")
    assert write_module(read_bundle(data)) == write_module(compile_flow(echo).module)


async def test_a_manifest_and_a_text_to_read_come_as_they_are(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    manifest = await compiled(api, people, echo, "yaml")
    text = await compiled(api, people, echo, "scai")

    assert (manifest["format"], manifest["body"]) == ("yaml", compile_flow(echo).body)
    assert (text["format"], text["body"]) == ("scai", compile_flow(echo, "scai").body)
    assert manifest["body"] != text["body"]


@pytest.mark.parametrize("wanted", FORMATS)
async def test_the_same_document_gives_the_same_bytes_however_its_keys_are_ordered(
    api: httpx.AsyncClient, people: People, echo: Json, wanted: str
) -> None:
    turned = dict(reversed(list(echo.items())))

    first = await compiled(api, people, echo, wanted)
    second = await compiled(api, people, turned, wanted)

    assert first["body"]
    assert first == second


@pytest.mark.parametrize("wanted", FORMATS)
async def test_errors_are_the_same_in_every_format(
    api: httpx.AsyncClient, people: People, echo: Json, wanted: str
) -> None:
    dangling = {**echo["edges"][0], "target": {"node": "node_gone", "port": "in"}}

    answer = await compiled(api, people, {**echo, "edges": [dangling]}, wanted)

    found = [item for item in answer["diagnostics"] if item["severity"] == "error"]
    assert answer["body"] == ""
    assert answer["errors"] == [item["message"] for item in found]
    assert found[0]["path"].startswith("edges[0]")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.flow.json")), ids=lambda path: path.name)
async def test_every_example_compiles_to_every_format_or_to_none(
    api: httpx.AsyncClient, people: People, path: Path
) -> None:
    content = orjson.loads(path.read_bytes())

    answers = [await compiled(api, people, content, wanted) for wanted in FORMATS]

    assert len({bool(answer["body"]) for answer in answers}) == 1
    assert len({orjson.dumps(answer["diagnostics"]) for answer in answers}) == 1
    assert all(bool(answer["body"]) != bool(answer["errors"]) for answer in answers)


@pytest.mark.parametrize("wanted", ["exe", "", "YAML", None, "json"])
async def test_a_format_that_there_is_not_is_refused(
    api: httpx.AsyncClient, people: People, echo: Json, wanted: str | None
) -> None:
    answer = await api.post(
        "/flows/compile", json={"content": echo, "format": wanted}, headers=people.bob.headers
    )

    assert refused(answer) == (422, "invalid_request")
