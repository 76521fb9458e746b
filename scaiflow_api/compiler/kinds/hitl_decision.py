"""`hitl_decision`: the run waits until somebody chooses one of several answers. Its value is the resolution."""

from typing import Annotated

from pydantic import AfterValidator

from scaiflow_api.compiler.kinds.base import JSON, QUEUE, StepKind
from scaiflow_api.compiler.kinds.checkpoint import PAUSE_TEMPLATES, CheckpointConfig, config_of, lower
from scaiflow_api.compiler.kinds.pause import Options


def _not_empty(options: list[JSON]) -> list[JSON]:
    if not options:
        raise ValueError("needs at least one option")
    return options


class HitlDecisionConfig(CheckpointConfig):
    """What is asked, and the answers to choose from."""

    options: Annotated[Options, AfterValidator(_not_empty)]
    """The answers to choose from, at least one."""


HITL_DECISION = StepKind(
    name="hitl_decision",
    title="HITL Decision",
    description="Waits until somebody chooses one of several answers.",
    category=QUEUE,
    config=HitlDecisionConfig,
    lower=lower,
    config_of=config_of,
    templates=PAUSE_TEMPLATES,
)
