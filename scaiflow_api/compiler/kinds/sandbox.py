"""What the kinds that work in a sandbox share: which sandbox, and the call of `scaibunker` that they become."""

from msgspec.structs import replace

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, Common, FallibleConfig, Surroundings
from scaiflow_api.compiler.kinds.own_keys import beyond_defaults, own_keys
from scaiflow_api.compiler.kinds.plugin_call import call_of, lower_call
from scaiflow_api.expressions import ExpressionSyntaxError, parse

ALIAS = "scaibunker"
HANDLE_NAME = f"{ir.RESERVED_PREFIX}sandbox"
"""The data value through which a step reaches a sandbox whose node has an id that expressions cannot name."""
HANDLE = f"{{{{ {HANDLE_NAME} }}}}"
NOT_NODES = frozenset({"input", "output", "result"})


def lower_in_sandbox(
    method: str, config: FallibleConfig, around: Surroundings, **instead: JSON
) -> ir.RigidBlock:
    """Return the call, on the sandbox that the configuration names, else on the nearest one upstream.

    `instead` replaces arguments.
    """
    handle = around.sandbox and _handle(around.sandbox)
    args = own_keys(config, {"bunker": handle}) | instead
    if args.get("bunker") == HANDLE and around.sandbox is not None:
        data = {**around.common["data_bindings"], HANDLE_NAME: around.sandbox}
        around = replace(around, common=Common(**{**around.common, "data_bindings": data}))
    return lower_call(ALIAS, method, args, around)


def _handle(node_id: str) -> str:
    try:
        is_name = parse(node_id).names == {node_id} and node_id not in NOT_NODES
    except ExpressionSyntaxError:
        is_name = False
    return f"{{{{ {node_id} }}}}" if is_name else HANDLE


def config_in_sandbox(block: ir.RigidBlock, model: type[FallibleConfig]) -> dict[str, JSON]:
    args = call_of(block).args
    named = {key: value for key, value in args.items() if (key, value) != ("bunker", HANDLE)}
    return beyond_defaults(named, model)
