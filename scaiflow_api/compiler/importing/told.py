"""What a compiled module tells of the graph that it was made of, and whether a document is such a graph."""

from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.bundle.modules import write_module
from scaiflow_api.compiler.check import Checked
from scaiflow_api.compiler.importing.flags import is_flag
from scaiflow_api.compiler.importing.leading import Followers
from scaiflow_api.compiler.importing.settings import same
from scaiflow_api.compiler.lowering.lower import lower

JSON = Any


def lowered(checked: Checked) -> ir.Module | None:
    """Return the module of a document; None for one with errors."""
    sound = checked.sound
    if checked.sink.has_errors or sound is None or sound.regions is None:
        return None
    return lower(sound.view, sound.regions)


def followers_of(module: ir.Module) -> Followers:
    """Return the nodes with values, and where their control edges lead: what is returned depends on it."""
    outputs = [item for flow in module.flows for item in flow.outputs]
    for flow in module.flows:
        for block in ir.walk(flow.body):
            if isinstance(block, ir.LoopBlock):
                outputs += block.outputs
    return {item.node_id: item.successors for item in outputs}


def do_the_same(module: ir.Module, other: ir.Module) -> bool:
    """Return whether the flows of two modules are the same, but for what has no order."""
    return same(_unordered(write_module(module)["flows"]), _unordered(write_module(other)["flows"]))


def _unordered(value: JSON) -> JSON:
    if isinstance(value, list):
        items = [_unordered(item) for item in value]
        return sorted(items, key=_flag) if all(map(_flag, items)) else items
    if isinstance(value, dict):
        return {key: sorted(item) if key == "successors" else _unordered(item) for key, item in value.items()}
    return value


def _flag(statement: JSON) -> str:
    """Return the name of the flag that a statement sets; the empty text for anything else."""
    name = statement.get("name") if isinstance(statement, dict) else None
    return name if isinstance(name, str) and is_flag(name) else ""
