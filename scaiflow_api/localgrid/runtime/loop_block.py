"""Loops: a round for every item, or as long as a condition holds."""

from collections.abc import Mapping

import orjson

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value, truthy
from scaiflow_api.localgrid.runtime.evaluation import evaluated
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame, Variables
from scaiflow_api.localgrid.runtime.lane import Lane
from scaiflow_api.localgrid.runtime.nested import Walker, run_together

LARGEST_RESULT_BYTES = 16 * 1024 * 1024
"""The JSON of a loop's result."""


async def run_foreach(
    block: ir.ForeachBlock, frame: Frame, data: Mapping[str, Value], walker: Walker
) -> list[Value]:
    """Return the outputs of the rounds, in the order of the items. Raises BlockFailed, RunFailed."""
    items = evaluated(block.items, frame.names(data))
    if not isinstance(items, list):
        raise BlockFailed("ITEMS_NOT_A_LIST", f"{block.items!r} is no list to go through")
    count = len(items) if block.max_iterations is None else min(len(items), block.max_iterations)
    concurrent = block.max_concurrent > 1
    outputs: list[Value] = [None] * count
    changed = [frame.variables] * count
    room = _Room()

    async def run_round(index: int, lane: Lane) -> None:
        loop_variables = {block.item_var: items[index]}
        if block.index_var is not None:
            loop_variables[block.index_var] = index
        inner = frame.round(index, loop_variables, copies=concurrent)
        inner.lane = lane
        outputs[index] = room.take(await _run_round(block, inner, data, walker))
        changed[index] = inner.variables

    await run_together(run_round, count, block.max_concurrent, frame.lane)
    if count < len(items):
        raise _too_many_rounds(block)
    if concurrent:
        _merge(frame.variables, changed)
    return outputs


async def run_while(block: ir.WhileBlock, frame: Frame, data: Mapping[str, Value], walker: Walker) -> Value:
    """Return the output of the last round, null without any. Raises BlockFailed, RunFailed."""
    output: Value = None

    async def run_rounds(_: int, __: Lane) -> None:
        nonlocal output
        last, rounds = frame, 0
        while truthy(evaluated(block.condition, last.names(data))):
            if rounds == block.max_iterations:
                raise _too_many_rounds(block)
            last = frame.round(rounds, {}, copies=False)
            output = await _run_round(block, last, data, walker)
            rounds += 1

    await run_together(run_rounds, 1, 1, frame.lane)
    return output


async def _run_round(block: ir.LoopBlock, inner: Frame, data: Mapping[str, Value], walker: Walker) -> Value:
    await walker.spend()
    await walker.run_body(block.body, inner)
    if block.collect is not None:
        return evaluated(block.collect, inner.names(data))
    return inner.output(block.outputs)


def _merge(variables: Variables, changed: list[Variables]) -> None:
    for copy in changed:
        variables.merge(copy)


def _too_many_rounds(block: ir.LoopBlock) -> BlockFailed:
    return BlockFailed(
        "MAX_ITERATIONS", f"the loop would go on after the {block.max_iterations} rounds that it may take"
    )


class _Room:
    """What a loop's result may still grow by; values that share nothing would else fill the memory."""

    def __init__(self) -> None:
        self._left = LARGEST_RESULT_BYTES

    def take(self, output: Value) -> Value:
        """Return the output of a round. Raises BlockFailed when there is no room for it."""
        try:
            self._left -= len(orjson.dumps(output))
        except orjson.JSONEncodeError as error:
            raise BlockFailed(
                "RESULT_TOO_LARGE", f"a round's output cannot be written as JSON: {error}"
            ) from None
        if self._left < 0:
            raise BlockFailed(
                "RESULT_TOO_LARGE", f"the loop's result is larger than {LARGEST_RESULT_BYTES:,} bytes"
            )
        return output
