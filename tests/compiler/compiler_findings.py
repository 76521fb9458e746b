"""What tests of findings share: what was found, and a flow whose names have known types."""

from typing import Any

from compiler_documents import JSON, a_node, an_entry
from compiler_ways import a_flow_of_ways

from scaiflow_api.compiler import validate_flow

SCHEMA = {
    "intent": "enum[question, complaint]",
    "score": "float",
    "urgent": "bool",
    "tags": "array<string>",
    "entities": "map<string, int>",
    "note": "string?",
    "since": "duration",
    "order": "Order",
}


def codes(document: JSON) -> list[str]:
    """Return the codes of all findings."""
    return [item.code for item in validate_flow(document)]


def found(document: JSON, code: str) -> list[tuple[str | None, str, str | None]]:
    """Return path, message and fix of each finding with a code."""
    return [(item.path, item.message, item.fix) for item in validate_flow(document) if item.code == code]


def a_model(node_id: str, **config: Any) -> JSON:
    return a_node(node_id, "llm_flexible", config={"goal": "Go.", **config})


def classified(expression: str, **more: Any) -> JSON:
    """A flow that evaluates an expression behind a model call with typed fields."""
    check = a_node("check", "llm_guarded", config={"goal": "Go.", "guard": expression})
    nodes = [an_entry(), a_model("classify", output_schema=SCHEMA, result_binding="seen"), check]
    return a_flow_of_ways(nodes, "entry>classify", "classify>check", **more)


def problems(document: JSON) -> list[str]:
    """Return what is said of the parts of expressions that cannot hold (SF310)."""
    return [message.split("`, ", 1)[1] for _, message, _ in found(document, "SF310")]


def an_entry_with(**schema: str) -> JSON:
    return an_entry(input_schema=schema)
