"""The published JSON Schema is that of the models."""

import orjson

from scaiflow_api.flowgraph import NODE_KINDS
from scaiflow_api.flowgraph.schema import SCHEMA_FILE, json_schema, schema_text


def test_the_committed_schema_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_bytes() == schema_text()


def test_the_schema_names_itself_and_its_draft() -> None:
    schema = orjson.loads(SCHEMA_FILE.read_bytes())

    assert schema["$id"] == "https://scailabs.com/schemas/scaiflow/v2.json"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_lists_all_kinds_and_required_fields() -> None:
    schema = json_schema()

    assert schema["required"] == ["id", "name", "version"]
    node = schema["$defs"]["Node"]
    assert tuple(node["properties"]["type"]["enum"]) == NODE_KINDS
    assert len(NODE_KINDS) == 24
    assert node["required"] == ["id", "type", "label", "position"]
    assert node["additionalProperties"] is True
