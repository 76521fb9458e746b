"""`checkpoint`: the run waits until somebody answers. Its value is the resolution."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import CHECKPOINT as CATEGORY
from scaiflow_api.compiler.kinds.base import JSON, StepKind, Surroundings
from scaiflow_api.compiler.kinds.pause import (
    APPROVAL,
    DECISION_FIELD,
    Options,
    PauseConfig,
    check_timeout_option,
    pause_config,
    pause_fields,
)
from scaiflow_api.compiler.kinds.steps import without_defaults

PAUSE_TEMPLATES = ("prompt", "options", "assignee")
BREAKPOINT = "debug_breakpoint"

_TYPE = re.compile(r"[a-z][a-z0-9_]*")


def _checkpoint_type(text: str) -> str:
    if _TYPE.fullmatch(text) is None:
        raise ValueError("expected a word such as approval, choice or freeform")
    if text == BREAKPOINT:
        raise ValueError(f"{BREAKPOINT} is what the flag breakpoint makes")
    return text


class CheckpointConfig(PauseConfig):
    """What is asked, and what may be answered."""

    type: Annotated[str, AfterValidator(_checkpoint_type)] = APPROVAL
    """`approval`, `choice`, `freeform`, or a word of your own."""
    prompt: str | None = None
    """The question; may hold templates."""
    options: Options = Field(default=[])
    """The answers to choose from; without them, any answer will do."""

    @property
    def decision(self) -> tuple[str, Sequence[JSON]]:
        return DECISION_FIELD, self.options

    @model_validator(mode="after")
    def _resolves_to_an_option(self) -> "CheckpointConfig":
        check_timeout_option(self.on_timeout, self.options)
        return self


def lower(config: CheckpointConfig, around: Surroundings) -> ir.CheckpointBlock:
    return ir.CheckpointBlock(
        **around.common,
        checkpoint_type=config.type,
        prompt=config.prompt,
        options=tuple(config.options),
        **pause_fields(config),
    )


def config_of(block: ir.CheckpointBlock) -> dict[str, JSON]:
    own = {
        "type": None if block.checkpoint_type == APPROVAL else block.checkpoint_type,
        "prompt": block.prompt,
        "options": list(block.options),
    }
    return {**without_defaults(own), **pause_config(block)}


CHECKPOINT = StepKind(
    name="checkpoint",
    title="Checkpoint",
    description="Waits until somebody answers.",
    category=CATEGORY,
    config=CheckpointConfig,
    lower=lower,
    config_of=config_of,
    templates=PAUSE_TEMPLATES,
)
