"""Texts that some language or format takes for more than they are, wherever a flow holds texts."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compiler.compiler_documents import a_flow, a_node, a_text, an_entry
from compiler.compiler_hostile_checks import check_document
from compiler.compiler_mutations import BAD_TEXTS, LOOK_SPECIAL, TEMPLATES, UNUSUAL

from scaiflow_api.compiler import validate_flow

JSON = dict[str, Any]
EXAMPLE = Path(__file__).parents[2] / "examples" / "every-kind.flow.json"
TEXTS = [
    *LOOK_SPECIAL,
    *UNUSUAL,
    *TEMPLATES,
    "\U0001f600" * 3,
    "x" * 3_000,
    "\n".join("abc"),
    " a ",
    "a: b # c",
]


def flow() -> JSON:
    asks = a_node(
        "ask",
        "llm_flexible",
        config={"goal": "Go.", "output_schema": {"answer": "string"}, "input_bindings": {}},
    )
    sets = a_node("set", "data_variable_set", config={"assignments": [{"variable": "v", "value": "x"}]})
    return a_flow(
        [an_entry(), asks, sets, a_text("last")],
        *(("entry", "ask"), ("ask", "set"), ("set", "last")),
        variables=[{"name": "v", "type": "string", "default": "x"}],
    )


def node(document: JSON, node_id: str) -> JSON:
    return next(item for item in document["nodes"] if item["id"] == node_id)


def label(document: JSON, text: str) -> None:
    node(document, "ask")["label"] = text


def name_of_the_flow(document: JSON, text: str) -> None:
    document["name"] = text


def key_of_the_document(document: JSON, text: str) -> None:
    document[f"x{text}"] = {text: [text]}


def key_of_a_node(document: JSON, text: str) -> None:
    node(document, "ask")[f"x{text}"] = {text: text}


def key_of_metadata(document: JSON, text: str) -> None:
    document["metadata"] = {f"x{text}": text}


def default_of_a_variable(document: JSON, text: str) -> None:
    document["variables"][0]["default"] = text


def key_in_a_default(document: JSON, text: str) -> None:
    document["variables"][0] |= {"type": "any", "default": {text: {text: None}}}


def key_of_a_condition_of_tests(document: JSON, text: str) -> None:
    document["tests"] = [{"name": text or "x", "input": {text: text}, "expect": {"output": text}}]


ALWAYS_COMPILED: dict[str, Callable[[JSON, str], None]] = {
    place.__name__: place
    for place in (
        label,
        key_of_the_document,
        key_of_a_node,
        key_of_metadata,
        default_of_a_variable,
        key_in_a_default,
    )
}


def node_id(document: JSON, text: str) -> None:
    document["nodes"].append(a_text(text))


def edge_id(document: JSON, text: str) -> None:
    document["edges"][0]["id"] = text


def end_of_an_edge(document: JSON, text: str) -> None:
    document["edges"][1]["target"]["node"] = text


def variable(document: JSON, text: str) -> None:
    document["variables"].append({"name": text, "type": "string"})


def assigned_variable(document: JSON, text: str) -> None:
    node(document, "set")["config"]["assignments"][0]["variable"] = text


def assigned_value(document: JSON, text: str) -> None:
    node(document, "set")["config"]["assignments"][0]["value"] = text


def key_of_a_configuration(document: JSON, text: str) -> None:
    node(document, "ask")["config"][text] = text


def field_of_a_schema(document: JSON, text: str) -> None:
    node(document, "ask")["config"]["output_schema"][text] = "string"


def type_in_a_schema(document: JSON, text: str) -> None:
    node(document, "ask")["config"]["output_schema"]["x"] = text


def binding(document: JSON, text: str) -> None:
    node(document, "ask")["config"]["input_bindings"][text] = text


def name_of_a_result(document: JSON, text: str) -> None:
    node(document, "last")["config"]["result_binding"] = text


def template(document: JSON, text: str) -> None:
    node(document, "last")["config"]["template"] = text


def condition(document: JSON, text: str) -> None:
    document["edges"][0] |= {"type": "conditional", "condition": text}


def slug_of_a_queue(document: JSON, text: str) -> None:
    document["config"]["scaiqueue"] = {"queues": [{"slug": text, "name": text}]}
    document["nodes"].append(a_node("tell", "queue_publish", config={"queue": text, "payload": {text: text}}))


def role_of_a_model(document: JSON, text: str) -> None:
    document["config"]["core_identity"]["models"][0] |= {"role": text, "model": text}


def name_of_a_plugin(document: JSON, text: str) -> None:
    document["config"]["plugins"] = [{"name": text, "methods": {text: {"args": {text: text}}}}]


PLACES = ALWAYS_COMPILED | {
    place.__name__: place
    for place in (
        *(
            node_id,
            edge_id,
            end_of_an_edge,
            variable,
            assigned_variable,
            assigned_value,
            key_of_a_configuration,
        ),
        *(
            field_of_a_schema,
            type_in_a_schema,
            binding,
            name_of_a_result,
            template,
            condition,
            slug_of_a_queue,
        ),
        *(role_of_a_model, name_of_a_plugin, name_of_the_flow, key_of_a_condition_of_tests),
    )
}


@pytest.mark.parametrize("place", PLACES)
def test_a_text_is_compiled_and_comes_back_or_is_refused(place: str) -> None:
    for text in TEXTS:
        document = flow()
        PLACES[place](document, text)
        is_compiled = check_document(document)
        assert is_compiled or place not in ALWAYS_COMPILED or (place == "label" and not text), text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", BAD_TEXTS, ids=ascii)
def test_half_a_character_is_refused_wherever_it_stands(place: str, text: str) -> None:
    document = flow()
    PLACES[place](document, text)

    assert "error" in {item.severity for item in validate_flow(document)}
    assert not check_document(document)


@pytest.mark.parametrize("text", [*LOOK_SPECIAL, *UNUSUAL, *BAD_TEXTS], ids=ascii)
def test_an_id_that_is_no_word_is_refused(text: str) -> None:
    document = flow()
    node_id(document, text)

    refused = any(item.path == "nodes[4].id" and item.severity == "error" for item in validate_flow(document))

    assert refused == (re.fullmatch("[A-Za-z0-9_-]+", text) is None or text.startswith("__"))


@pytest.mark.parametrize("text", [*LOOK_SPECIAL, *UNUSUAL], ids=ascii)
def test_a_text_everywhere_in_a_flow_of_every_kind(text: str) -> None:
    """Labels, descriptions and whatever else is a text of nobody's grammar, all at once."""
    document = json.loads(EXAMPLE.read_text())
    for item in document["nodes"]:
        item["label"] = f"{text} {item['id']}"
        item["description"] = text
        item[f"x-{text}"] = {text: text}

    assert check_document(document)
