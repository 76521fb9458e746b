"""In which order the nodes of a module were listed, as far as that had a meaning."""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import pairwise

from scaiflow_api.compiler import ir


def by_rank(module: ir.Module) -> list[str]:
    """Return the ids of all nodes with steps: in their order, but for branches, which may have run between others.

    What the module says of merged names and of outputs tells the order of nodes in branches.
    """
    order: dict[str, None] = {}
    for flow in module.flows:
        textual = dict.fromkeys(block.node_id for block in ir.walk(flow.body) if block.node_id is not None)
        order |= dict.fromkeys(_sorted(list(textual), [*_orders(flow.body), _ranks(flow.outputs)]))
    return list(order)


def _orders(body: tuple[ir.AnyBlock, ...]) -> Iterator[list[str]]:
    """Yield lists of nodes whose order is certain."""
    yield from _in_body(body, None, None)
    for block in ir.walk(body):
        if isinstance(block, ir.ParallelBlock):
            yield list(block.merge_order)
        elif isinstance(block, ir.LoopBlock):
            yield _ranks(block.outputs)


def _in_body(body: tuple[ir.AnyBlock, ...], before: str | None, behind: str | None) -> Iterator[list[str]]:
    """Yield the nodes directly in a body, between those before and behind it; and so for all bodies inside."""
    blocks = [
        inner for block in body for inner in (block.body if isinstance(block, ir.TryBlock) else (block,))
    ]
    yield [name for name in (before, *(block.node_id for block in blocks), behind) if name is not None]
    following = [behind]
    for block in reversed(blocks):
        following.append(block.node_id or following[-1])
    for place, block in enumerate(blocks, 2):
        before = block.node_id or before
        apart = isinstance(block, ir.LoopBlock | ir.ParallelBlock)
        for inner in ir.bodies(block):
            yield from _in_body(inner, before, None if apart else following[-place])


def _ranks(outputs: Iterable[ir.OutputCandidate]) -> list[str]:
    return [candidate.node_id for candidate in outputs][::-1]


def _sorted(names: list[str], orders: Iterable[list[str]]) -> list[str]:
    """Return the names in an order that agrees with all the orders, else in that in which they are given."""
    place = {name: number for number, name in enumerate(names)}
    behind: dict[str, list[str]] = {name: [] for name in names}
    waits = dict.fromkeys(names, 0)
    for order in orders:
        for first, second in pairwise(name for name in order if name in place):
            behind[first].append(second)
            waits[second] += 1
    free = [place[name] for name in names if not waits[name]]
    heapify(free)
    found = []
    while free:
        name = names[heappop(free)]
        found.append(name)
        for other in behind[name]:
            waits[other] -= 1
            if not waits[other]:
                heappush(free, place[other])
    return found if len(found) == len(names) else names
