"""Order and nesting of the nodes of a flow: what two modules are compared by that may differ in everything else."""

from collections.abc import Mapping
from typing import TypeAlias

from scaiflow_api.compiler import ir

Skeleton: TypeAlias = tuple[object, ...]


def skeleton(body: tuple[ir.AnyBlock, ...], names: Mapping[str, str]) -> Skeleton:
    """Return the order and nesting of a body; `names` are the ids of nodes that are called something else there."""
    parts: list[object] = []
    for block in body:
        if isinstance(block, ir.TryBlock):
            parts += skeleton(block.body, names)
        elif block.node_id is not None:
            data = sorted((port, names.get(node, node)) for port, node in block.data_bindings.items())
            parts.append((names.get(block.node_id, block.node_id), tuple(data), *_inside(block, names)))
        elif isinstance(block, ir.MatchBlock):
            source = block.source_location.node_id
            free = tuple(arm.condition for arm in block.arms if arm.edge_id is None and source is None)
            parts.append((names.get(source or "", source), free, *_inside(block, names)))
    return tuple(parts)


def _inside(block: ir.AnyBlock, names: Mapping[str, str]) -> Skeleton:
    return tuple(skeleton(inner, names) for inner in ir.bodies(block))
