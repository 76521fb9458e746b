"""Flow documents for tests of the compiler, short to write."""

from typing import Any

JSON = dict[str, Any]
ENTRY_PORTS = {"entry_api": "out_request", "entry_webhook": "out_event", "entry_schedule": "out_tick"}


def two_models() -> list[JSON]:
    return [
        {"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"},
        {"role": "fast", "ref": "scaigrid", "model": "openai/gpt-4o-mini"},
    ]


def a_node(node_id: str, kind: str, **more: Any) -> JSON:
    return {"id": node_id, "type": kind, "label": node_id, "position": {"x": 0, "y": 0}, **more}


def an_entry(node_id: str = "entry", **config: Any) -> JSON:
    return a_node(node_id, "entry_api", config=config)


def a_text(node_id: str, template: str = "x") -> JSON:
    return a_node(node_id, "llm_rigid", config={"template": template})


def a_decision(node_id: str, **config: Any) -> JSON:
    return a_node(node_id, "logic_decision", config=config)


def a_flow(nodes: list[JSON], *ways: tuple[str, ...], **more: Any) -> JSON:
    """Return a flow. A way is (source, target) or (source, target, condition); edges are edge_1, edge_2, …"""
    kinds = {node["id"]: node["type"] for node in nodes}
    edges = []
    for number, (source, target, *condition) in enumerate(ways, 1):
        edge: JSON = {
            "id": f"edge_{number}",
            "type": "conditional" if condition else "sequential",
            "source": {"node": source, "port": ENTRY_PORTS.get(kinds.get(source, ""), "out")},
            "target": {"node": target, "port": "in"},
        }
        if condition:
            edge["condition"] = condition[0]
        edges.append(edge)
    document = {"id": "flow_test", "name": "Test Flow", "version": "1.0.0", "nodes": nodes, "edges": edges}
    return {**document, "config": {"core_identity": {"models": two_models()}}, **more}
