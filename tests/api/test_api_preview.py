"""Compile and validate: nothing kept, everything said."""

from typing import Any

import httpx
import pytest
from people import People

Json = dict[str, Any]


async def test_a_clean_flow_compiles_to_the_manifest(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    answer = await api.post(
        "/flows/compile", json={"content": echo, "format": "yaml"}, headers=people.carol.headers
    )

    assert answer.status_code == 200
    body = answer.json()
    assert (body["format"], body["errors"], body["diagnostics"]) == ("yaml", [], [])
    assert body["body"].startswith("core:\n  name: echo-agent\n  mode: stateless\n")
    assert (await api.get("/flows", headers=people.carol.headers)).json()["total"] == 0


async def test_documented_messages_point_at_their_place(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    edge = {**echo["edges"][0], "source": {"node": "node_entry", "port": "out_typo"}}
    broken = {**echo, "edges": [edge]}
    message = "edge 'edge_1': source node 'node_entry' has no output port 'out_typo'"

    validated = (
        await api.post("/flows/validate", json={"content": broken}, headers=people.bob.headers)
    ).json()
    compiled = (await api.post("/flows/compile", json={"content": broken}, headers=people.bob.headers)).json()

    assert validated["valid"] is False
    found = next(item for item in validated["diagnostics"] if item["message"] == message)
    assert (found["severity"], found["path"], found["node_id"], found["edge_id"]) == (
        "error",
        "edges[0]",
        None,
        "edge_1",
    )
    assert "out_request" in found["fix"]
    assert message in compiled["errors"]
    assert compiled["body"] == ""
    assert [d["message"] for d in compiled["diagnostics"]] == [d["message"] for d in validated["diagnostics"]]


@pytest.mark.parametrize(
    "content",
    [{}, {"nodes": []}, {"nodes": 7}, {"a": {"b": [None]}}, {"$schema": "http://127.0.0.1:1/x.json"}],
)
async def test_any_object_can_be_validated(api: httpx.AsyncClient, people: People, content: Json) -> None:
    answer = await api.post("/flows/validate", json={"content": content}, headers=people.bob.headers)

    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert {item["code"][:3] for item in answer.json()["diagnostics"]} == {"SF0"}
