"""The node kinds and the JSON Schema of flow documents, as an editor asks for them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from api_refusals import refused
from people import People

from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.flowgraph.schema import SCHEMA_FILE

Json = dict[str, Any]

KIND_KEYS = [
    "kind",
    "category",
    "colour",
    "title",
    "description",
    "config",
    "inputs",
    "outputs",
    "expressions",
    "templates",
    "yields",
]
PALETTE = {
    ("Entry", "Green"): ["entry_api", "entry_webhook", "entry_schedule"],
    ("LLM", "Blue"): ["llm_rigid", "llm_guarded", "llm_flexible"],
    ("Logic", "Orange"): ["logic_decision", "logic_loop", "logic_parallel"],
    ("Tool", "Purple"): ["tool_plugin", "tool_http"],
    ("Data", "Teal"): ["data_variable_set"],
    ("Checkpoint", "Yellow"): ["checkpoint"],
    ("Queue / HITL", "Amber"): [
        "queue_publish",
        "queue_consume",
        "hitl_review",
        "hitl_decision",
        "queue_escalation",
    ],
    ("Compute", "Indigo"): [
        "compute_provision",
        "compute_exec",
        "compute_file_upload",
        "compute_file_download",
        "compute_destroy",
    ],
    ("Sub-flow", "Grey"): ["subflow_call"],
}


@pytest.fixture
async def palette(api: httpx.AsyncClient, people: People) -> list[Json]:
    answer = await api.get("/schema/node-kinds", headers=people.carol.headers)
    assert answer.status_code == 200
    found: list[Json] = answer.json()
    return found


async def test_all_kinds_come_in_the_order_of_the_palette(palette: list[Json]) -> None:
    expected = [(kind, *category) for category, kinds in PALETTE.items() for kind in kinds]

    assert [(item["kind"], item["category"], item["colour"]) for item in palette] == expected


async def test_every_kind_says_what_an_editor_shows(palette: list[Json]) -> None:
    for item in palette:
        assert list(item) == KIND_KEYS, item["kind"]
        assert item["title"], item["kind"]
        assert item["description"].endswith("."), item["kind"]
        assert item["outputs"], item["kind"]
        assert bool(item["inputs"]) == (item["category"] != "Entry"), item["kind"]
        for port in (*item["inputs"], *item["outputs"]):
            assert list(port) == ["id", "label", "type"], item["kind"]
    assert len({item["title"] for item in palette}) == len(palette)


async def test_the_ports_are_those_that_edges_use(palette: list[Json]) -> None:
    outputs = {item["kind"]: [port["id"] for port in item["outputs"]] for item in palette}

    assert outputs["entry_api"] == ["out_request"]
    assert outputs["entry_webhook"] == ["out_event"]
    assert outputs["entry_schedule"] == ["out_tick"]
    assert outputs["logic_loop"] == ["body", "out"]
    assert outputs["llm_flexible"] == ["out"]


async def test_the_schema_of_a_configuration_has_its_keys_rules_and_defaults(palette: list[Json]) -> None:
    http = next(item for item in palette if item["kind"] == "tool_http")["config"]

    assert http["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert http["required"] == ["url"]
    assert http["properties"]["method"]["default"] == "GET"
    assert "POST" in http["properties"]["method"]["enum"]
    assert http["properties"]["on_error"]["enum"] == ["fail", "continue"]
    assert "binds null" in http["properties"]["on_error"]["description"]
    assert http["$defs"]["HttpAuth"]["required"] == ["type", "secret"]


async def test_every_schema_is_that_of_the_configuration_that_the_compiler_reads(palette: list[Json]) -> None:
    for item in palette:
        declared = KINDS[item["kind"]].config.model_fields
        fields = {field.alias or name: field for name, field in declared.items()}
        assert list(item["config"]["properties"]) == list(fields), item["kind"]
        required = [name for name, field in fields.items() if field.is_required()]
        assert item["config"].get("required", []) == required, item["kind"]
        defaults = {
            name: rule["default"] for name, rule in item["config"]["properties"].items() if "default" in rule
        }
        assert defaults.keys() == fields.keys() - set(required), item["kind"]
        assert {name: fields[name].default for name in defaults} == defaults, item["kind"]


async def test_every_key_at_any_depth_is_described(palette: list[Json]) -> None:
    silent = [(item["kind"], key) for item in palette for key in _undescribed(item["config"])]

    assert silent == []


def _undescribed(schema: object) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _undescribed(item)
    if isinstance(schema, dict):
        properties = schema.get("properties")
        for key, rule in properties.items() if isinstance(properties, dict) else ():
            if not rule.get("description"):
                yield key
        for value in schema.values():
            yield from _undescribed(value)


async def test_the_old_name_of_a_key_says_that_it_is_old(palette: list[Json]) -> None:
    old = [
        (item["kind"], key)
        for item in palette
        for key, rule in item["config"]["properties"].items()
        if rule.get("deprecated")
    ]

    assert old == [("llm_guarded", "model"), ("llm_flexible", "model")]


async def test_every_reference_in_a_schema_leads_somewhere(palette: list[Json]) -> None:
    references = [(item, target) for item in palette for target in _references(item["config"])]

    assert references
    for item, target in references:
        assert target.removeprefix("#/$defs/") in item["config"]["$defs"], (item["kind"], target)


async def test_fields_with_expressions_and_templates_are_fields_of_the_configuration(
    palette: list[Json],
) -> None:
    for item in palette:
        named = {*item["expressions"], *item["templates"]}
        assert named <= item["config"]["properties"].keys(), item["kind"]

    loop = next(item for item in palette if item["kind"] == "logic_loop")
    assert loop["expressions"] == ["items", "condition", "collect"]
    yielding = {item["kind"] for item in palette if item["yields"]}
    assert {"llm_rigid", "tool_http", "checkpoint"} <= yielding
    assert not yielding & {"entry_api", "logic_decision", "logic_parallel", "compute_destroy"}


async def test_the_schema_of_documents_is_the_committed_file(api: httpx.AsyncClient, people: People) -> None:
    answer = await api.get("/schema/flow/v2.json", headers=people.carol.headers)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    assert answer.content == SCHEMA_FILE.read_bytes()


@pytest.mark.parametrize("path", ["/schema/node-kinds", "/schema/flow/v2.json"])
async def test_what_a_client_has_is_not_sent_again(api: httpx.AsyncClient, people: People, path: str) -> None:
    headers = people.carol.headers
    first = await api.get(path, headers=headers)
    tag = first.headers["etag"]

    again = await api.get(path, headers={**headers, "If-None-Match": f'"other", W/{tag}'})
    changed = await api.get(path, headers={**headers, "If-None-Match": '"other"'})

    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.parametrize("path", ["/schema/node-kinds", "/schema/flow/v2.json"])
async def test_the_palette_takes_the_permission_to_view(
    api: httpx.AsyncClient, people: People, path: str
) -> None:
    unknown = await api.get(path)
    denied = await api.get(path, headers=people.nobody.headers)

    assert refused(unknown) == (401, "not_authenticated")
    assert refused(denied) == (403, "permission_denied")


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
