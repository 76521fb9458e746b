"""`subflow_call`: calls a flow of another Core. Its value is that flow's output. Its step is `core_call`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import (
    JSON,
    SUBFLOW,
    Common,
    Duration,
    FallibleConfig,
    StepKind,
    Surroundings,
    Text,
)
from scaiflow_api.compiler.kinds.own_keys import beyond_defaults, own_keys
from scaiflow_api.compiler.kinds.steps import Step, without_defaults
from scaiflow_api.compiler.manifest.section import Section

STEP_KEY = "core_call"
TIMEOUT = "30s"

_SLUG = "[A-Za-z0-9][A-Za-z0-9_-]*"
_TARGET = re.compile(rf"core://{_SLUG}/{_SLUG}")


def _target(text: str) -> str:
    if _TARGET.fullmatch(text) is None:
        raise ValueError("expected core://<tenant>/<slug of the Core>")
    return text


class SubflowCallConfig(FallibleConfig):
    """Which flow of which Core is called, and with what."""

    target: Annotated[str, AfterValidator(_target)]
    """`core://{tenant_slug}/{slug}`; the caller needs access to that Core."""
    flow_name: Text | None = None
    """One of its flows; without one, its first."""
    input_bindings: dict[str, JSON] = Field(default={})
    """Name → value of its input; texts may hold templates."""
    instance_key: Text | None = None
    """Which instance, for Cores that have one per entity; may hold templates."""
    version: Text | None = None
    """Pins a version; without one, the Core's own default."""
    timeout: Duration = TIMEOUT
    """How long the call may take."""
    is_async: bool = False
    """Do not wait for it; the value is then null."""


def lower(config: SubflowCallConfig, around: Surroundings) -> ir.CoreCallBlock:
    return ir.CoreCallBlock(**around.common, **own_keys(config))


def config_of(block: ir.CoreCallBlock) -> dict[str, JSON]:
    return beyond_defaults(_fields(block), SubflowCallConfig)


def _fields(block: ir.CoreCallBlock) -> dict[str, JSON]:
    return {
        "target": block.target,
        "flow_name": block.flow_name,
        "input_bindings": block.input_bindings,
        "instance_key": block.instance_key,
        "version": block.version,
        "timeout": block.timeout,
        "is_async": block.is_async,
    }


def write_step(block: ir.CoreCallBlock) -> Step:
    return {STEP_KEY: without_defaults(_fields(block))}


def read_step(step: Section, common: Common) -> ir.CoreCallBlock:
    call = step.section(STEP_KEY)
    target = call.text("target")
    if _TARGET.fullmatch(target) is None:
        raise call.fail("target", "core://<tenant>/<slug of the Core>")
    return ir.CoreCallBlock(
        **common,
        target=target,
        flow_name=call.optional_text("flow_name"),
        input_bindings=call.mapping("input_bindings"),
        instance_key=call.optional_text("instance_key"),
        version=call.optional_text("version"),
        timeout=call.optional_duration("timeout") or TIMEOUT,
        is_async=call.flag("is_async"),
    )


SUBFLOW_CALL = StepKind(
    name="subflow_call",
    title="Sub-flow",
    description="Calls a flow of another Core.",
    category=SUBFLOW,
    config=SubflowCallConfig,
    lower=lower,
    config_of=config_of,
    templates=("input_bindings", "instance_key"),
)
