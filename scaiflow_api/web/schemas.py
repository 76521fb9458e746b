"""Bases of what goes over the wire. The sentences below their attributes stand in the OpenAPI document."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from scaiflow_api.kit.attribute_docs import describe


class AnswerModel(BaseModel):
    """An answer, built from rows or dictionaries."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra=describe)


def _show(schema: dict[str, Any], model: "type[ApiModel]") -> None:
    describe(schema, model)
    schema["examples"] = [model.example]


class ApiModel(BaseModel):
    """A request body: nothing is coerced, nothing unknown is swallowed."""

    model_config = ConfigDict(strict=True, extra="forbid", json_schema_extra=_show)

    example: ClassVar[dict[str, Any]]
    """A body of the kind, which documentation begins with."""
