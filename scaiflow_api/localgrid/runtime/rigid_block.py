"""The statements of a rigid block."""

from collections.abc import Mapping
from functools import partial

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.evaluation import rendered
from scaiflow_api.localgrid.runtime.frame import Frame
from scaiflow_api.localgrid.runtime.plugin_call import Plugin, run_plugin_call


async def run_statements(
    block: ir.RigidBlock, frame: Frame, data: Mapping[str, Value], plugins: Mapping[str, Plugin]
) -> Value:
    """Return the value of the last statement. Raises BlockFailed."""
    value: Value = None
    for statement in block.statements:
        names = frame.names(data)
        match statement:
            case ir.AssignStatement():
                value = rendered(statement.value, names)
                frame.variables.assign(statement.name, value)
            case ir.ExpressionStatement():
                value = rendered(statement.expression, names)
            case ir.PluginCallStatement():
                value = await frame.lane.once(partial(run_plugin_call, statement, names, plugins))
    return value
