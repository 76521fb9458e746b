"""The order of what runs at the same time: as if it had run one after another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from scaiflow_api.compiler import ir


@dataclass(frozen=True)
class Lane:
    """One of the ways that blocks at the same time go: a branch, or the rounds of a loop."""

    block: str
    loops: int
    """How many loops there are around the block."""
    branch: int | None
    """None: the lane is the round."""

    def of(self, iteration: list[int]) -> tuple[Any, int]:
        """Return which execution of the block is meant, and the lane's number."""
        number = iteration[self.loops] if self.branch is None else self.branch
        return (self.block, *iteration[: self.loops]), number


def lanes_of(body: tuple[ir.AnyBlock, ...], around: tuple[Lane, ...] = (), loops: int = 0) -> Iterator[Any]:
    """Yield each node with the lanes around it, outer ones first."""
    for block in body:
        node_id = str(block.node_id)
        yield node_id, around
        for number, inner in enumerate(ir.bodies(block)):
            match block:
                case ir.ParallelBlock():
                    yield from lanes_of(inner, (*around, Lane(node_id, loops, number)), loops)
                case ir.ForeachBlock(max_concurrent=several) if several > 1:
                    yield from lanes_of(inner, (*around, Lane(node_id, loops, None)), loops + 1)
                case ir.ForeachBlock() | ir.WhileBlock():
                    yield from lanes_of(inner, around, loops + 1)
                case _:
                    yield from lanes_of(inner, around, loops)


def one_by_one(
    entered: list[tuple[str, list[tuple[Any, int]]]], depth: int = 0
) -> Iterator[tuple[str, list[tuple[Any, int]]]]:
    """Put what ran at the same time one after another: lane after lane, the order within each as it was."""
    for block, together in groupby(
        entered, key=lambda item: item[1][depth][0] if len(item[1]) > depth else None
    ):
        if block is None:
            yield from together
        else:
            for _, lane in groupby(sorted(together, key=lambda i: i[1][depth][1]), lambda i: i[1][depth][1]):
                yield from one_by_one(list(lane), depth + 1)


def order_of(payloads: Sequence[Mapping[str, Any]], lanes: Mapping[str, tuple[Lane, ...]]) -> list[str]:
    """Return the nodes that `block.entered` events tell of."""
    entered = [
        (p["node_id"], [lane.of(p.get("iteration", [])) for lane in lanes[p["node_id"]]]) for p in payloads
    ]
    return [node_id for node_id, _ in one_by_one(entered)]
