"""The statements of a rigid block."""

from collections.abc import Mapping

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.evaluation import rendered
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame


def run_statements(block: ir.RigidBlock, frame: Frame, data: Mapping[str, Value]) -> Value:
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
                raise BlockFailed(
                    "PLUGIN_UNAVAILABLE",
                    f"the plugin call '{statement.alias}.{statement.method}' is not available on this grid yet",
                )
    return value
