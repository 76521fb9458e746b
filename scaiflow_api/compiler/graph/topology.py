"""The cycles of a flow. Nothing here recurses."""

from collections.abc import Iterable

from scaiflow_api.compiler.graph.flow import FlowEdge, FlowView


def find_cycles(view: FlowView) -> list[list[int]]:
    """Return one shortest cycle through the first node of each knot, closed: `[a, b, a]`.

    A knot is a strongly connected part of the graph over control and data edges.
    """
    if len(view.ranked) == len(view.nodes):
        return []
    followers = _followers(len(view.nodes), view.edges)
    cycles = []
    for knot in _knots(followers):
        first = min(knot)
        if len(knot) > 1 or first in followers[first]:
            cycles.append(_shortest_cycle(first, knot, followers))
    return sorted(cycles)


def _followers(count: int, edges: Iterable[FlowEdge]) -> list[list[int]]:
    followers: list[list[int]] = [[] for _ in range(count)]
    for edge in edges:
        followers[edge.source].append(edge.target)
    return followers


def _knots(followers: list[list[int]]) -> list[set[int]]:
    """Return the strongly connected components: Kosaraju's two passes, with stacks of our own."""
    finished: list[int] = []
    seen = [False] * len(followers)
    for root in range(len(followers)):
        if seen[root]:
            continue
        seen[root] = True
        stack = [(root, iter(followers[root]))]
        while stack:
            node, targets = stack[-1]
            target = next((item for item in targets if not seen[item]), None)
            if target is None:
                finished.append(node)
                stack.pop()
            else:
                seen[target] = True
                stack.append((target, iter(followers[target])))
    sources: list[list[int]] = [[] for _ in followers]
    for node, targets_of in enumerate(followers):
        for target in targets_of:
            sources[target].append(node)
    knots = []
    placed = [False] * len(followers)
    for root in reversed(finished):
        if placed[root]:
            continue
        knot, pending = set(), [root]
        placed[root] = True
        while pending:
            node = pending.pop()
            knot.add(node)
            for source in sources[node]:
                if not placed[source]:
                    placed[source] = True
                    pending.append(source)
        knots.append(knot)
    return knots


def _shortest_cycle(first: int, knot: set[int], followers: list[list[int]]) -> list[int]:
    came_from: dict[int, int] = {}
    queue = [first]
    for node in queue:
        for target in followers[node]:
            if target == first:
                way = [node]
                while way[-1] != first:
                    way.append(came_from[way[-1]])
                return [*reversed(way), first]
            if target in knot and target not in came_from:
                came_from[target] = node
                queue.append(target)
    raise AssertionError("a knot has a cycle through each of its nodes")
