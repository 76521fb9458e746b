"""Calls of plugins: what a block has done outside of its run."""

from collections.abc import Mapping
from typing import Protocol

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.evaluation import rendered
from scaiflow_api.localgrid.runtime.failures import BlockFailed


class Plugin(Protocol):
    """Methods that can be called by name."""

    async def call(self, method: str, args: Mapping[str, Value]) -> Value:
        """Do what the method says, with arguments whose templates are rendered. Raises BlockFailed."""
        ...


async def run_plugin_call(
    statement: ir.PluginCallStatement, names: Mapping[str, Value], plugins: Mapping[str, Plugin]
) -> Value:
    """Return what the method answers. Raises BlockFailed."""
    plugin = plugins.get(statement.alias)
    if plugin is None:
        raise BlockFailed(
            "PLUGIN_UNAVAILABLE",
            f"'{statement.alias}.{statement.method}' cannot be called: the local grid has no plugin "
            f"'{statement.alias}', only {' and '.join(sorted(plugins)) or 'none'}",
        )
    return await plugin.call(
        statement.method, {name: rendered(value, names) for name, value in statement.args.items()}
    )
