"""The JSON Schema of flow documents, generated from the models.

`python -m scaiflow_api.flowgraph.schema` writes `v2.json` beside this file; a test fails when it has drifted.
"""

from pathlib import Path
from typing import Any

import orjson
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from scaiflow_api.flowgraph.models import FlowGraph
from scaiflow_api.kit.attribute_docs import describe
from scaiflow_api.kit.model import JSON_SCHEMA, Model, core_schema_of

SCHEMA_ID = "https://scailabs.com/schemas/scaiflow/v2.json"
SCHEMA_FILE = Path(__file__).with_name("v2.json")


class _Documented(GenerateJsonSchema):
    """Of our own models, with the docstrings of attributes as descriptions."""

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        shown = schema.get("metadata", {}).get(JSON_SCHEMA)
        return super().generate_inner(schema) if shown is None else dict(shown)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        make = schema.get("default_factory")
        value = schema.get("default") if make is None else make()  # type: ignore[call-arg]
        return value.model_dump() if isinstance(value, Model) else value

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        model: type[Model] = schema["cls"]
        body = self.generate_inner(schema["schema"])
        body |= {"title": model.__name__, "description": model.__doc__, "additionalProperties": True}
        describe(body, model)
        return body


def json_schema_of(model: type[Model]) -> dict[str, Any]:
    """Return the JSON Schema of a model, draft 2020-12."""
    body = _Documented(by_alias=True).generate(core_schema_of(model))
    return {"$schema": GenerateJsonSchema.schema_dialect, **body}


def json_schema() -> dict[str, Any]:
    """Return the schema of flow documents."""
    body = json_schema_of(FlowGraph)
    return {"$schema": body.pop("$schema"), "$id": SCHEMA_ID, **body}


def schema_text() -> bytes:
    """Return the bytes of `v2.json`."""
    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(schema_text())
