"""`tool_plugin`: calls a method of a plugin. The compiler adds the plugin to the manifest by itself."""

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import (
    JSON,
    TOOL,
    Duration,
    FallibleConfig,
    StepKind,
    Surroundings,
    Text,
)
from scaiflow_api.compiler.kinds.plugin_call import call_of, lower_call
from scaiflow_api.compiler.kinds.steps import without_defaults


class ToolPluginConfig(FallibleConfig):
    """Which method of which plugin is called, and with what."""

    plugin: Text
    """The alias of the plugin."""
    method: Text
    """One of its methods."""
    args: dict[str, JSON] = Field(default={})
    """Name → value; texts may hold templates."""
    timeout: Duration | None = None
    """How long the call may take."""


def lower(config: ToolPluginConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_call(config.plugin, config.method, config.args, around, timeout=config.timeout)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    call = call_of(block)
    more = without_defaults({"args": call.args, "timeout": call.timeout})
    return {"plugin": call.alias, "method": call.method, **more}


TOOL_PLUGIN = StepKind(
    name="tool_plugin",
    title="Tool Plugin",
    description="Calls a method of a plugin.",
    category=TOOL,
    config=ToolPluginConfig,
    lower=lower,
    config_of=config_of,
    templates=("args",),
)
