"""Bases of what goes over the wire."""

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """A request body: nothing is coerced, nothing unknown is swallowed."""

    model_config = ConfigDict(strict=True, extra="forbid")


class AnswerModel(BaseModel):
    """An answer, built from rows or dictionaries."""

    model_config = ConfigDict(from_attributes=True)
