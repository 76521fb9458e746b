"""`hitl_review`: asks people through a queue, with a form. Its value is the resolution.

It becomes one checkpoint with a `hitl_target`; the runtime publishes the request and resumes the run.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, QUEUE, Config, StepKind, Surroundings, Text, absent, wrong
from scaiflow_api.compiler.kinds.pause import (
    DECISION_FIELD,
    Options,
    PauseConfig,
    check_timeout_option,
    hitl_target,
    pause_config,
    pause_fields,
)
from scaiflow_api.compiler.kinds.steps import without_defaults

TYPE = "hitl_review"


class FormSection(Config):
    """One part of the form that people see."""

    type: Literal["context", "input", "decision"]
    """`context` is read, `input` is filled in, `decision` is a row of buttons."""
    title: str | None = None
    """The heading of the section; may hold templates."""
    content: str | None = None
    """What is shown; may hold templates."""
    field: Text | None = None
    """The key of the resolution; needed by `input`, and `decision` where a decision names none."""
    kind: Text | None = None
    """What is filled in: `text`, `number`, …"""
    required: bool | None = None
    """Whether it must be filled in."""
    options: Options | None = None
    """The answers to choose from; needed by `decision`."""

    @model_validator(mode="after")
    def _is_complete(self) -> "FormSection":
        if self.type == "input" and self.field is None:
            raise absent("field")
        if self.type == "decision" and self.options is None:
            raise absent("options")
        if self.type == "decision" and not self.options:
            raise wrong("options", problem="a decision needs at least one option")
        return self

    @property
    def answers(self) -> str | None:
        """The key of the resolution that this section gives."""
        default = DECISION_FIELD if self.type == "decision" else None
        return None if self.type == "context" else self.field or default


class HitlReviewConfig(PauseConfig):
    """Which queue asks, and what the form shows."""

    scope: Text | None = None
    """The scope of the queue; without one, that of the flow's topology."""
    queue: Text
    """The slug of the queue."""
    sections: list[FormSection] = Field(default=[])
    """The form, from top to bottom."""

    @model_validator(mode="after")
    def _form_is_clear(self) -> "HitlReviewConfig":
        places: dict[str, int] = {}
        for place, section in enumerate(self.sections):
            answers = section.answers
            first = place if answers is None else places.setdefault(answers, place)
            if first != place:
                problem = f"sections[{first}] has the field '{answers}' already"
                raise wrong("sections", place, "field", problem=problem)
        check_timeout_option(self.on_timeout, self.decision[1])
        return self

    @property
    def decision(self) -> tuple[str, Sequence[JSON]]:
        """Those of the first section that is a decision."""
        decisions = (section for section in self.sections if section.type == "decision")
        first = next(decisions, None)
        return (first and first.field) or DECISION_FIELD, (first and first.options) or ()

    def plain_sections(self) -> Iterator[dict[str, JSON]]:
        for section in self.sections:
            yield section.model_dump(mode="json", exclude_none=True)


def lower(config: HitlReviewConfig, around: Surroundings) -> ir.CheckpointBlock:
    sections = tuple(config.plain_sections())
    return ir.CheckpointBlock(
        **around.common,
        checkpoint_type=TYPE,
        sections=sections,
        **pause_fields(config),
        hitl_target=hitl_target(config.scope or around.queue_scope, config.queue, sections, config.timeout),
    )


def config_of(block: ir.CheckpointBlock) -> dict[str, JSON]:
    target = block.hitl_target
    own = {
        "scope": target and target.scope,
        "queue": target and target.queue,
        "sections": list(block.sections),
    }
    return {**without_defaults(own), **pause_config(block)}


HITL_REVIEW = StepKind(
    name="hitl_review",
    title="HITL Review",
    description="Asks people through a queue, with a form, and waits for their answer.",
    category=QUEUE,
    config=HitlReviewConfig,
    lower=lower,
    config_of=config_of,
    templates=("scope", "queue", "sections", "assignee"),
)
