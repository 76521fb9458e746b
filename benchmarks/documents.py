"""Flow documents of any size for the compiler's measurements: what people draw, again and again."""

from collections.abc import Iterator
from itertools import count
from typing import Any

JSON = dict[str, Any]
MODELS = [
    {
        "role": "primary",
        "ref": "scaigrid",
        "model": "openai/gpt-4o",
        "modalities": ["text", "structured_output"],
    },
    {
        "role": "fast",
        "ref": "scaigrid",
        "model": "openai/gpt-4o-mini",
        "modalities": ["text", "structured_output"],
    },
]


def flow_of(nodes: int) -> JSON:
    """Return a sound flow of about so many nodes: sections of a decision, a loop, a parallel and plain steps."""
    drawn = _Drawing()
    drawn.node("entry_api", {"method": "POST", "path": "/"}, "node_entry")
    last = ("node_entry", "out_request")
    while len(drawn.nodes) + 14 <= nodes:
        last = _section(drawn, last)
    while len(drawn.nodes) < nodes:
        last = drawn.then(last, "llm_rigid", {"template": "{{ input.message }}"})
    return {
        "id": "flow_benchmark",
        "name": "Benchmark",
        "version": "1.0.0",
        "nodes": drawn.nodes,
        "edges": drawn.edges,
        "variables": [{"name": "total", "type": "float", "default": 0}],
        "config": {"core_identity": {"models": MODELS}},
    }


class _Drawing:
    def __init__(self) -> None:
        self.nodes: list[JSON] = []
        self.edges: list[JSON] = []
        self._numbers: Iterator[int] = count(1)

    def node(self, kind: str, config: JSON, node_id: str | None = None) -> str:
        number = next(self._numbers)
        place = {"x": 200 * (number % 20), "y": 120 * (number // 20)}
        node = {"id": node_id or f"node_{number}", "type": kind, "label": f"Step {number}", "position": place}
        self.nodes.append({**node, "config": config})
        return str(node["id"])

    def edge(self, source: tuple[str, str], target: str, condition: str | None = None) -> None:
        ends = {"source": {"node": source[0], "port": source[1]}, "target": {"node": target, "port": "in"}}
        kind = (
            {"type": "sequential"} if condition is None else {"type": "conditional", "condition": condition}
        )
        self.edges.append({"id": f"edge_{len(self.edges) + 1}", **kind, **ends})

    def then(self, source: tuple[str, str], kind: str, config: JSON) -> tuple[str, str]:
        node = self.node(kind, config)
        self.edge(source, node)
        return node, "out"


def _section(drawn: _Drawing, last: tuple[str, str]) -> tuple[str, str]:
    schema = {"intent": "enum[question, complaint, refund]", "confidence": "float"}
    goal = "Classify: {{ input.message }}"
    classify, _ = last = drawn.then(
        last, "llm_flexible", {"goal": goal, "llm_role": "fast", "output_schema": schema}
    )
    decide, _ = drawn.then(last, "logic_decision", {"style": "if"})
    join = drawn.node("llm_rigid", {"template": "handled {{ input.message }}"})
    for condition in (f"{classify}.intent == 'refund' && {classify}.confidence > 0.7", "true"):
        answer = drawn.node("llm_guarded", {"goal": "Answer it.", "guard": "input.message != null"})
        drawn.edge((decide, "out"), answer, condition)
        drawn.edge((answer, "out"), join)
    search = {"path": "/knowledge/", "query": "{{ input.message }}"}
    found, _ = last = drawn.then(
        (join, "out"), "tool_plugin", {"plugin": "scaidrive", "method": "search", "args": search}
    )
    loop, _ = drawn.then(
        last, "logic_loop", {"items": f"{found}.hits ?? []", "item_var": "hit", "collect": "hit.title"}
    )
    step = drawn.then(
        (loop, "body"), "data_variable_set", {"variable": "total", "value": "{{ total + hit.score }}"}
    )
    drawn.then(step, "llm_rigid", {"template": "{{ hit.title }}: {{ hit.score }}"})
    both, _ = drawn.then((loop, "out"), "logic_parallel", {})
    joined = drawn.node("llm_rigid", {"template": "done {{ total }}"})
    for url in ("https://api.acme.example/a", "https://api.acme.example/b"):
        branch = drawn.then((both, "out"), "tool_http", {"url": url, "query": {"q": "{{ input.message }}"}})
        drawn.edge(branch, joined)
    return joined, "out"
