"""`llm_guarded`: a model call with a condition before it and one on its result.

Its step is `llm_turn` with `guarded: true`.
"""

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, LLM, Common, FailurePolicy, StepKind, Surroundings
from scaiflow_api.compiler.kinds.model_call import (
    MODEL_TEMPLATES,
    ModelCallConfig,
    model_fields,
    read_model_fields,
    turn,
    turn_fields,
)
from scaiflow_api.compiler.kinds.steps import Step, without_defaults
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.expressions import unwrap


class LlmGuardedConfig(ModelCallConfig):
    """A call between two conditions."""

    guard: str | None = None
    """Must be truthy before the call."""
    validation: str | None = Field(default=None, alias="validate")
    """Must be truthy afterwards; sees the answer as `result` and `output`."""
    on_validation_failure: FailurePolicy | None = None
    """What happens when a condition does not hold, or the answer has the wrong form."""


def lower(config: LlmGuardedConfig, around: Surroundings) -> ir.GuardedBlock:
    return ir.GuardedBlock(
        **around.common,
        **model_fields(config, around),
        guard=unwrap(config.guard)[0] if config.guard is not None else None,
        validate=unwrap(config.validation)[0] if config.validation is not None else None,
        on_validation_failure=config.on_validation_failure,
    )


def config_of(block: ir.GuardedBlock) -> dict[str, JSON]:
    own = {
        "guard": block.guard,
        "validate": block.validate,
        "on_validation_failure": block.on_validation_failure,
    }
    return without_defaults({"goal": block.goal, **own, **turn_fields(block)})


def write_step(block: ir.GuardedBlock) -> Step:
    step = {
        **turn(block),
        "guarded": True,
        "guard": block.guard,
        "validate": block.validate,
        **turn_fields(block),
        "on_validation_failure": block.on_validation_failure,
    }
    return without_defaults(step)


def read_step(step: Section, common: Common, default_role: str) -> ir.GuardedBlock:
    return ir.GuardedBlock(
        **common,
        **read_model_fields(step, default_role),
        guard=step.optional_expression("guard"),
        validate=step.optional_expression("validate"),
        on_validation_failure=step.optional_text("on_validation_failure"),
    )


LLM_GUARDED = StepKind(
    name="llm_guarded",
    title="Guarded Prompt",
    description="Calls a model, with a condition before the call and one on its answer.",
    category=LLM,
    config=LlmGuardedConfig,
    lower=lower,
    config_of=config_of,
    expressions=("guard", "validate"),
    templates=MODEL_TEMPLATES,
)
