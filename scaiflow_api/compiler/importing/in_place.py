"""What differs between two modules where every step stands as it stood: most edits by hand are such."""

from collections.abc import Iterator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.importing.recognition import kind_of
from scaiflow_api.compiler.importing.told import are_same
from scaiflow_api.compiler.importing.ways import Step, is_handled

Body = tuple[ir.AnyBlock, ...]


class _Rearranged(Exception):
    """More differs than what steps say."""


def edited_in_place(before: ir.Module, given: ir.Module) -> list[Step] | None:
    """Return the steps of nodes that say something else than before; conditions of arms may differ besides.

    None where anything else differs in triggers or flows.
    """
    if not are_same(before.triggers, given.triggers) or len(before.flows) != len(given.flows):
        return None
    steps: list[Step] = []
    try:
        for one, other in zip(before.flows, given.flows, strict=True):
            if not are_same((one.name, one.params), (other.name, other.params)):
                return None
            steps += _in_body(one.body, other.body, caught=False)
    except _Rearranged:
        return None
    return steps


def _in_body(before: Body, given: Body, *, caught: bool) -> Iterator[Step]:
    if len(before) != len(given):
        raise _Rearranged
    for one, other in zip(before, given, strict=True):
        if one != other:
            yield from _in_block(one, other, caught=caught)
        elif not are_same(one, other):
            # `true` in place of 1, somewhere in it.
            raise _Rearranged


def _in_block(before: ir.AnyBlock, given: ir.AnyBlock, *, caught: bool) -> Iterator[Step]:
    """Yield the steps in a pair of blocks that differ."""
    if _frame(before) != _frame(given):
        raise _Rearranged
    if given.node_id is not None:
        yield Step(given.node_id, given, is_handled(given, caught=caught), 0)
    for one, other in zip(ir.bodies(before), ir.bodies(given), strict=True):
        yield from _in_body(one, other, caught=isinstance(given, ir.TryBlock))


def _frame(block: ir.AnyBlock) -> object:
    """Return what a block must share with one in its place. Raises _Rearranged for one that must be the same."""
    own = block.node_id is not None
    frame: tuple[object, ...] = (type(block), block.node_id, block.source_location, block.data_bindings)
    match block:
        case ir.MatchBlock():
            of_edges = block.source_location.node_id is not None
            arms = [
                (arm.edge_id, (of_edges and arm.edge_id is not None) or arm.condition) for arm in block.arms
            ]
            return (*frame, arms, own or (block.subject, block.on_error))
        case ir.ParallelBlock():
            return (*frame, [branch.edge_id for branch in block.branches])
        case ir.TryBlock() if not block.catch:
            return frame
        case _ if own and kind_of(block) is not None:
            return frame
        case _:
            raise _Rearranged
