"""Order and nesting of the nodes of a flow: what two modules are compared by that may differ in everything else."""

from collections.abc import Mapping
from itertools import takewhile
from typing import TypeAlias

from scaiflow_api.compiler import ir

Body: TypeAlias = tuple[ir.AnyBlock, ...]
Skeleton: TypeAlias = tuple[object, ...]


def are_alike(before: Body, given: Body, names: Mapping[str, str]) -> bool:
    """Return whether order and nesting are the same; `names` are the ids of nodes that `given` calls otherwise."""
    if not names:
        # Most blocks are equal in everything.
        before, given = _behind_equals(before, given)
        before, given = _behind_equals(before[::-1], given[::-1])
        before, given = before[::-1], given[::-1]
    return _skeleton(before, {}) == _skeleton(given, names)


def _behind_equals(before: Body, given: Body) -> tuple[Body, Body]:
    """Return two bodies without the blocks that both begin with."""
    equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, given, strict=False)))
    return before[equal:], given[equal:]


def _skeleton(body: Body, names: Mapping[str, str]) -> Skeleton:
    parts: list[object] = []
    for block in body:
        if isinstance(block, ir.TryBlock):
            parts += _skeleton(block.body, names)
        elif block.node_id is not None:
            data = sorted((port, names.get(node, node)) for port, node in block.data_bindings.items())
            parts.append((names.get(block.node_id, block.node_id), tuple(data), *_inside(block, names)))
        elif isinstance(block, ir.MatchBlock):
            source = block.source_location.node_id
            free = tuple(arm.condition for arm in block.arms if arm.edge_id is None and source is None)
            parts.append((names.get(source or "", source), free, *_inside(block, names)))
    return tuple(parts)


def _inside(block: ir.AnyBlock, names: Mapping[str, str]) -> Skeleton:
    return tuple(_skeleton(inner, names) for inner in ir.bodies(block))
