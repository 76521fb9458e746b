"""What the kinds that wait for a person share: answers, time, who is asked, and the step `checkpoint: {…}`.

Breakpoints, which lowering makes of the flag `breakpoint`, have the same step.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, WithJsonSchema

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, Common, Duration, FallibleConfig, none_of
from scaiflow_api.compiler.kinds.steps import Step, without_defaults
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.expressions import parse_duration

STEP_KEY = "checkpoint"
APPROVAL = "approval"
DECISION_FIELD = "decision"
RESOLVE = "resolve:"
ON_TIMEOUT = "fail"
PRIORITY: Literal["normal"] = "normal"

_PRINCIPALS = ("user:", "group:", "role:")


def _assignee(text: str) -> str:
    if "{{" in text or any(text.startswith(kind) and text != kind for kind in _PRINCIPALS):
        return text
    raise ValueError("expected user:<email or id>, group:<id>, role:<name> or a template")


def _on_timeout(text: str) -> str:
    if text in ("fail", "escalate", "continue") or text.removeprefix(RESOLVE) not in ("", text):
        return text
    choices = ("fail", "escalate", "continue")
    raise none_of(given=text, choices=choices, problem=f"expected {', '.join(choices)} or {RESOLVE}<option>")


def _options(options: list[JSON]) -> list[JSON]:
    found = [option_id(option) for option in options]
    if not all(isinstance(name, str) and name for name in found):
        raise ValueError("an option is a text, or an object with an id and a label")
    if len(set(found)) < len(found):
        raise ValueError("an option occurs twice")
    return options


def option_id(option: JSON) -> JSON:
    """Return what a resolution says when this option is chosen; null where it is no option."""
    if isinstance(option, dict):
        return option.get("id") if isinstance(option.get("label", ""), str) else None
    return option


Assignee = Annotated[str, AfterValidator(_assignee)]
"""`user:<email or id>`, `group:<id>`, `role:<name>`, or a template."""
OnTimeout = Annotated[str, AfterValidator(_on_timeout)]
Options = Annotated[
    list[JSON],
    AfterValidator(_options),
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {
                        "type": "object",
                        "properties": {
                            "id": {
                                "type": "string",
                                "minLength": 1,
                                "description": "What the resolution says when it is chosen.",
                            },
                            "label": {"type": "string", "description": "What people see; else the id."},
                        },
                        "required": ["id"],
                    },
                ]
            },
        }
    ),
]
"""Texts, or objects `{id, label}`; the id is what a resolution says."""


class PauseConfig(FallibleConfig):
    """How long the run waits, and for whom."""

    timeout: Duration | None = None
    """Without one, it waits for as long as it takes."""
    on_timeout: OnTimeout = ON_TIMEOUT
    """What happens then: `fail`, `escalate`, `continue`, or `resolve:<option>` as if somebody had chosen it."""
    assignee: Assignee | None = None
    """Who is asked: `user:<email or id>`, `group:<id>`, `role:<name>`, or a template."""
    priority: Literal["low", "normal", "high", "critical"] = PRIORITY
    """How urgent it is."""

    @property
    def decision(self) -> tuple[str, Sequence[JSON]]:
        """The key of the resolution under which the choice stands, and the options to choose from, if it says any."""
        raise NotImplementedError


class PauseFields(TypedDict):
    """The fields of `ir.CheckpointBlock` that all these kinds fill."""

    assignee: str | None
    priority: str | None
    timeout: str | None
    on_timeout: str | None


def pause_fields(config: PauseConfig) -> PauseFields:
    return PauseFields(
        assignee=config.assignee,
        priority=config.priority,
        timeout=config.timeout,
        on_timeout=config.on_timeout,
    )


def pause_config(block: ir.CheckpointBlock) -> dict[str, JSON]:
    """Return the keys of `PauseConfig`, those at their defaults left out."""
    return without_defaults(
        {
            "timeout": block.timeout,
            "on_timeout": None if block.on_timeout == ON_TIMEOUT else block.on_timeout,
            "assignee": block.assignee,
            "priority": None if block.priority == PRIORITY else block.priority,
        }
    )


def check_timeout_option(on_timeout: str, options: Iterable[JSON]) -> None:
    """Raise ValidationError if time running out would choose what is none of the options.

    Options that templates make are known only later, and without options any answer is one.
    """
    names = [str(option_id(option)) for option in options]
    chosen = on_timeout.removeprefix(RESOLVE)
    if chosen == on_timeout or not names or any("{{" in name for name in (*names, chosen)):
        return
    if chosen not in names:
        choices = [f"{RESOLVE}{name}" for name in names]
        problem = f"'{chosen}' is none of the options"
        raise none_of("on_timeout", given=on_timeout, choices=choices, problem=problem)


def hitl_target(
    scope: str | None, queue: str, sections: Iterable[Mapping[str, JSON]], timeout: str | None
) -> ir.HitlTarget:
    spec: dict[str, JSON] = {"sections": list(sections)}
    if timeout is not None:
        spec["timeout_s"] = int(parse_duration(timeout))
    return ir.HitlTarget(scope=scope, queue=queue, hitl_spec=spec)


def write_step(block: ir.CheckpointBlock) -> Step:
    target = block.hitl_target
    fields = {
        "scope": target and target.scope,
        "queue": target and target.queue,
        "prompt": block.prompt,
        "options": list(block.options),
        "sections": list(block.sections),
        "assignee": block.assignee,
        "timeout": block.timeout,
        "on_timeout": block.on_timeout,
        "priority": block.priority,
    }
    return {STEP_KEY: {"type": block.checkpoint_type, **without_defaults(fields)}}


def read_step(step: Section, common: Common) -> ir.CheckpointBlock:
    pause = step.section(STEP_KEY)
    sections = pause.mappings("sections")
    timeout = pause.optional_duration("timeout")
    scope, queue = pause.optional_text("scope"), pause.optional_text("queue")
    return ir.CheckpointBlock(
        **common,
        checkpoint_type=pause.text("type", APPROVAL),
        prompt=pause.optional_text("prompt"),
        options=tuple(pause.items("options")),
        sections=sections,
        assignee=pause.optional_text("assignee"),
        priority=pause.optional_text("priority"),
        timeout=timeout,
        on_timeout=_read_on_timeout(pause),
        hitl_target=None if queue is None else hitl_target(scope, queue, sections, timeout),
    )


def _read_on_timeout(pause: Section) -> str | None:
    text = pause.optional_text("on_timeout")
    try:
        return text and _on_timeout(text)
    except ValueError as error:
        raise pause.fail("on_timeout", "fail, escalate, continue or resolve:<option>") from error
