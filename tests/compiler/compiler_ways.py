"""Flows written as ways: `"loop.body>check"`, `"decide>answer?amount > 3"`, `"a~b"` for a data edge."""

import re
from typing import Any

from compiler_documents import JSON, a_flow

WAY = re.compile(r"(\w+)(?:\.(\w+))?([>~])(\w+)(?:\?(.*))?")


def a_flow_of_ways(nodes: list[JSON], *ways: str, **more: Any) -> JSON:
    """Return a flow with one model. Edges are edge_1, edge_2, …; an entry's only port is its own."""
    parts = [match.groups() for way in ways if (match := WAY.fullmatch(way)) is not None]
    assert len(parts) == len(ways)
    document = a_flow(nodes, *((source, target, *((c and [c]) or ())) for source, _, _, target, c in parts))
    for edge, (_, port, kind, _, _) in zip(document["edges"], parts, strict=True):
        edge["source"]["port"] = port or edge["source"]["port"]
        edge["type"] = "data" if kind == "~" else edge["type"]
    del document["config"]["core_identity"]["models"][1:]
    return {**document, **more}
