"""The dominator tree of a flow: what a node cannot run without.

Vertices are a root, the entries, the nodes that entries reach, and one vertex per way out of a port that
has conditional edges: each of these edges, and its sequential edges (the fall-through) together. All ways to a
node lead through each of its ancestors in this tree. Built in rank order in one pass, because flows have no cycles.
"""

from collections.abc import Sequence


class DominatorTree:
    """Vertices are added from the root on, each after all that lead to it."""

    ROOT = 0

    def __init__(self) -> None:
        self._parent = [0]
        self._jump = [0]
        self._depth = [0]

    def add(self, leading_here: Sequence[int]) -> int:
        """Add a vertex below the nearest common ancestor of the vertices that lead to it; return its number."""
        parent = leading_here[0]
        for other in leading_here[1:]:
            parent = self._common(parent, other)
        # Jump pointers of the skew-binary kind: ancestors are found in logarithmic time.
        far = self._jump[parent]
        long_way = self._depth[parent] - self._depth[far] == self._depth[far] - self._depth[self._jump[far]]
        self._parent.append(parent)
        self._jump.append(self._jump[far] if long_way else parent)
        self._depth.append(self._depth[parent] + 1)
        return len(self._parent) - 1

    def child_towards(self, ancestor: int, vertex: int) -> int | None:
        """Return the child of `ancestor` that `vertex` is or lies below; None where it lies elsewhere."""
        depth = self._depth[ancestor] + 1
        if self._depth[vertex] < depth:
            return None
        child = self._at_depth(vertex, depth)
        return child if self._parent[child] == ancestor else None

    def is_below(self, ancestor: int, vertex: int) -> bool:
        """Return whether `vertex` is `ancestor` or lies below it."""
        depth = self._depth[ancestor]
        return self._depth[vertex] >= depth and self._at_depth(vertex, depth) == ancestor

    def _at_depth(self, vertex: int, depth: int) -> int:
        while self._depth[vertex] > depth:
            far = self._jump[vertex]
            vertex = far if self._depth[far] >= depth else self._parent[vertex]
        return vertex

    def _common(self, first: int, second: int) -> int:
        depth = min(self._depth[first], self._depth[second])
        first, second = self._at_depth(first, depth), self._at_depth(second, depth)
        while first != second:
            if self._jump[first] != self._jump[second]:
                first, second = self._jump[first], self._jump[second]
            else:
                first, second = self._parent[first], self._parent[second]
        return first
