"""`llm_flexible`: a model call with a goal. Its step is `llm_turn`."""

from typing import Annotated

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import (
    JSON,
    LLM,
    Common,
    Config,
    Duration,
    FailurePolicy,
    StepKind,
    Surroundings,
)
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


class Example(Config):
    """One input, and the answer to it."""

    input: JSON
    """What the model is given."""
    output: JSON
    """What it should answer."""


class Budget(Config):
    """How much the call may cost."""

    max_duration: Duration | None = None
    """How long the call may take, with its retries."""
    max_retries: Annotated[int, Field(ge=0)] | None = None
    """How many further attempts there may be."""


class LlmFlexibleConfig(ModelCallConfig):
    """A call that is bound by its goal alone."""

    identity_ref: bool = False
    """Tell the model who the agent is."""
    examples: list[Example] | None = None
    """Inputs and the answers that are wanted for them."""
    on_failure: FailurePolicy | None = None
    """What happens when the model fails or answers in the wrong form."""
    budget: Budget | None = None
    """How long the call may take and how often it may be tried."""


def lower(config: LlmFlexibleConfig, around: Surroundings) -> ir.FlexibleBlock:
    examples = tuple(item.model_dump(mode="json") for item in config.examples or ())
    return ir.FlexibleBlock(
        **around.common,
        **model_fields(config, around),
        examples=examples,
        on_failure=config.on_failure,
        budget=(config.budget.model_dump(mode="json", exclude_unset=True) or None) if config.budget else None,
        identity_ref=config.identity_ref,
    )


def config_of(block: ir.FlexibleBlock) -> dict[str, JSON]:
    return without_defaults({"goal": block.goal, **turn_fields(block), **_own_fields(block)})


def _own_fields(block: ir.FlexibleBlock) -> dict[str, JSON]:
    return {
        "identity_ref": block.identity_ref,
        "examples": list(block.examples),
        "on_failure": block.on_failure,
        "budget": block.budget,
    }


def write_step(block: ir.FlexibleBlock) -> Step:
    return {**turn(block), **without_defaults({**turn_fields(block), **_own_fields(block)})}


def read_step(step: Section, common: Common, default_role: str) -> ir.FlexibleBlock:
    return ir.FlexibleBlock(
        **common,
        **read_model_fields(step, default_role),
        examples=tuple(step.items("examples")),
        on_failure=step.optional_text("on_failure"),
        budget=step.json("budget"),
        identity_ref=step.flag("identity_ref"),
    )


LLM_FLEXIBLE = StepKind(
    name="llm_flexible",
    title="Flexible Prompt",
    description="Calls a model with a goal.",
    category=LLM,
    config=LlmFlexibleConfig,
    lower=lower,
    config_of=config_of,
    templates=(*MODEL_TEMPLATES, "examples"),
)
