"""The JSON Schema of flow documents, generated from the models.

`python -m scaiflow_api.flowgraph.schema` writes `v2.json` beside this file; a test fails when it has drifted.
"""

from pathlib import Path
from typing import Any

import orjson
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from scaiflow_api.flowgraph.models import SCHEMA_ID, FlowGraph
from scaiflow_api.kit.attribute_docs import describe

SCHEMA_FILE = Path(__file__).with_name("v2.json")


class Documented(GenerateJsonSchema):
    """With the docstrings of attributes as descriptions, and without titles that only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        body = super().model_schema(schema)
        describe(body, schema["cls"])
        return body


def json_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12."""
    body = FlowGraph.model_json_schema(by_alias=True, schema_generator=Documented)
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": SCHEMA_ID, **body}


def schema_text() -> bytes:
    """Return the bytes of `v2.json`."""
    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(schema_text())
