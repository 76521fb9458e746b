"""What the two kinds that call a model share: the call, and its step `llm_turn: "<goal>"`."""

from collections.abc import Mapping
from typing import Annotated, TypedDict

from pydantic import AfterValidator, Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, FallibleConfig, Surroundings, Text
from scaiflow_api.compiler.kinds.steps import Step
from scaiflow_api.compiler.manifest.section import Section

STEP_KEY = "llm_turn"
MODEL_TEMPLATES = ("goal", "input_bindings", "context_bindings", "guidance", "constraints")


def _text_or_texts(value: JSON) -> JSON:
    items = value if isinstance(value, list) else [value]
    if value is None or all(isinstance(item, str) for item in items):
        return value
    raise ValueError("expected a text or a list of texts")


class ModelCallConfig(FallibleConfig):
    """What the model is asked, with what, and in which form it answers."""

    goal: Text
    """What the model is asked to do."""
    llm_role: Text | None = None
    """The role in the flow's model registry; without one, the first entry."""
    model: Text | None = Field(default=None, json_schema_extra={"deprecated": True})
    """The old name of `llm_role`, used where that is absent."""
    output_schema: dict[str, str] | None = None
    """Name → type of the fields of the answer."""
    input_bindings: dict[str, JSON] | None = None
    """Name → value: what the model is given to work on."""
    context_bindings: dict[str, JSON] | None = None
    """Name → value: what the model should know besides."""
    guidance: str | None = None
    """How to go about it."""
    constraints: Annotated[JSON, AfterValidator(_text_or_texts)] = None
    """A text, or a list of texts."""

    @property
    def role(self) -> str | None:
        return self.llm_role if self.llm_role is not None else self.model


class ModelFields(TypedDict):
    """The fields of `ir.ModelBlock` beyond those of every block and `on_error`."""

    goal: str
    output_type: Mapping[str, str] | None
    llm_role: str
    input_bindings: Mapping[str, JSON]
    context_bindings: Mapping[str, JSON]
    guidance: str | None
    constraints: JSON


def model_fields(config: ModelCallConfig, around: Surroundings) -> ModelFields:
    """Return what the block takes from the configuration."""
    return ModelFields(
        goal=config.goal,
        output_type=config.output_schema or None,
        llm_role=config.role or around.default_role,
        input_bindings=config.input_bindings or {},
        context_bindings=config.context_bindings or {},
        guidance=config.guidance,
        constraints=config.constraints or None,
    )


def turn(block: ir.ModelBlock) -> Step:
    """Return the keys with which both kinds begin."""
    return {STEP_KEY: block.goal}


def turn_fields(block: ir.ModelBlock) -> Step:
    """Return the keys that both kinds share."""
    return {
        "llm_role": block.llm_role,
        "output_schema": block.output_type,
        "input_bindings": block.input_bindings,
        "context_bindings": block.context_bindings,
        "guidance": block.guidance,
        "constraints": block.constraints,
    }


def read_model_fields(step: Section, default_role: str) -> ModelFields:
    return ModelFields(
        goal=step.text(STEP_KEY),
        output_type=step.texts("output_schema") if "output_schema" in step else None,
        llm_role=step.text("llm_role", default_role),
        input_bindings=step.mapping("input_bindings"),
        context_bindings=step.mapping("context_bindings"),
        guidance=step.optional_text("guidance"),
        constraints=step.json("constraints"),
    )
