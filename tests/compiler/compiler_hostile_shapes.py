"""Documents of shapes that are hard on some part of the compiler, as large as the limits of a flow allow.

This file has what they are built with, and all of them by name; they stand in `compiler_hostile_graphs.py`,
`compiler_hostile_names.py`, `compiler_hostile_texts.py` and `compiler_hostile_uses.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import Any, TypeAlias

from compiler.compiler_documents import JSON, two_models

from scaiflow_api.flowgraph import DEFAULT_LIMITS


@dataclass(frozen=True)
class Size:
    """How large a shape is to be; the largest is that of the limits."""

    share: int = 1
    """What part of the limits: 1, or one of so many."""

    @property
    def nodes(self) -> int:
        return DEFAULT_LIMITS.max_nodes // self.share

    @property
    def edges(self) -> int:
        return DEFAULT_LIMITS.max_edges // self.share

    @property
    def bytes(self) -> int:
        return DEFAULT_LIMITS.max_bytes // self.share

    @property
    def expressions(self) -> int:
        """Characters of all expressions together."""
        return DEFAULT_LIMITS.max_expression_characters // self.share

    def part(self, count: int) -> int:
        return max(2, count // self.share)

    def side(self, count: int) -> int:
        """Return what the square of which is a part of the square of a count."""
        return max(2, isqrt(count * count // self.share))


FULL = Size()
Shape: TypeAlias = Callable[[Size], JSON]
Way: TypeAlias = tuple[Any, ...]
"""Source and target; then, where there is one, the condition; then the port."""


def node(node_id: str, kind: str = "llm_rigid", **config: Any) -> JSON:
    if kind == "llm_rigid":
        config.setdefault("template", "x")
    return {"id": node_id, "type": kind, "label": node_id, "position": {"x": 0, "y": 0}, "config": config}


def edge(number: int, source: str, target: str, condition: str | None = None, port: str = "") -> JSON:
    port = port or ("out_request" if source.startswith("entry") else "out")
    ends = {"source": {"node": source, "port": port}, "target": {"node": target, "port": "in"}}
    if condition is None:
        return {"id": f"e{number}", "type": "sequential", **ends}
    return {"id": f"e{number}", "type": "conditional", **ends, "condition": condition}


def flow(nodes: Iterable[JSON], ways: Iterable[Way] = (), **more: Any) -> JSON:
    """Return a flow that begins at the node `entry`."""
    return {
        "id": "flow_hostile",
        "name": "Hostile",
        "version": "1.0.0",
        "nodes": [node("entry", "entry_api"), *nodes],
        "edges": [edge(number, *way) for number, way in enumerate(ways)],
        "config": {"core_identity": {"models": two_models()}},
        **more,
    }


def names(count: int, letter: str = "n") -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def in_turn(ids: list[str]) -> Iterator[tuple[str, str]]:
    return pairwise(["entry", *ids])


def fitting(room: int, make: Callable[[int], str]) -> Iterator[str]:
    """Yield texts until about so many bytes are filled."""
    number = 0
    while (room := room - len(text := make(number)) - 20) > 0:
        yield text
        number += 1


def all_shapes() -> dict[str, Shape]:
    from compiler import (
        compiler_hostile_graphs,
        compiler_hostile_names,
        compiler_hostile_texts,
        compiler_hostile_uses,
    )

    modules = (compiler_hostile_graphs, compiler_hostile_names, compiler_hostile_texts, compiler_hostile_uses)
    return {name: shape for module in modules for name, shape in module.SHAPES.items()}
