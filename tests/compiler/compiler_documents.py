"""Flow documents for tests of the compiler: short to write, and drawn at random."""

import copy
from random import Random
from typing import Any

from hypothesis import strategies as st

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


INPUTS = ("c0", "c1", "c2", "c3")
CONDITIONS = (
    *("c0", "c1", "c2", "c3", "!c0", "!c1", "true", "true"),
    *("v == 1", "v % 2 == 0", "n1 != null", "d == null", "d != null", "false", "null > 1"),
)
"""The last one has no value: it is an error of the edge's source."""
MATCHED = ("0", "1", "2", "'n1'", "true", "c0", "v > 1", "-1", "[1, 2]")
PORTS = {"inputs": [{"id": "in"}, {"id": "d"}], "outputs": [{"id": "out"}, {"id": "alt"}]}


def flows(max_nodes: int = 14) -> st.SearchStrategy[JSON]:
    """Draw a sound flow: an acyclic graph of the compiled kinds, whatever its joins, ports and entries.

    Node ids are `n0`, `n1`, …; conditions test the input, the variable `v`, earlier results and data values.
    Size and seed are drawn and the rest follows from the seed: dense graphs come up often enough only so.
    """
    return st.builds(_flow, st.integers(1, max_nodes), st.integers(1, 3), st.integers(0, 2**32))


def _flow(count: int, entries: int, seed: int) -> JSON:
    rng = Random(seed)
    ids = [f"e{number}" for number in range(entries)] + [f"n{number}" for number in range(count)]
    rng.shuffle(ids)
    nodes = [_node(node_id, rng) for node_id in ids]
    return {
        "id": "flow_drawn",
        "name": "Drawn",
        "version": "1.0.0",
        "nodes": nodes,
        "edges": _edges({node["id"]: node for node in nodes}, entries, count, rng),
        "variables": [{"name": "v", "type": "int", "default": 0}],
        "config": {"core_identity": {"models": two_models()}},
    }


def _node(node_id: str, rng: Random) -> JSON:
    if node_id.startswith("e"):
        kind = rng.choice(sorted(ENTRY_PORTS))
        return a_node(node_id, kind, config={}, outputs=[{"id": ENTRY_PORTS[kind]}, {"id": "alt"}])
    config: JSON = {"on_error": "continue"} if rng.random() < 0.7 else {}
    kind = rng.choice(["llm_rigid", "logic_decision", "data_variable_set", "llm_flexible", "llm_guarded"])
    match kind:
        case "llm_rigid":
            config["template"] = f"{node_id}: {{{{ v }}}} {{{{ d }}}}"
        case "logic_decision":
            config |= {"style": rng.choice(["if", "match"]), "subject": "v"}
        case "data_variable_set":
            name = rng.choice(["v", "v", "v", "v", "output"])
            config |= {"variable": name, "value": rng.choice([int(node_id[1:]), "{{ v + 1 }}"])}
        case _:
            config["goal"] = f"goal of {node_id}"
    return a_node(node_id, kind, config=config, **copy.deepcopy(PORTS))


def _edges(nodes: dict[str, JSON], entries: int, count: int, rng: Random) -> list[JSON]:
    """Draw edges that lead forward in an order of their own, which is not that of the document."""
    forward = [f"n{number}" for number in range(count)]
    rng.shuffle(forward)
    conditional = rng.choice([0.2, 0.4, 0.7])
    edges = []
    for place, target in enumerate(forward):
        near = forward[max(0, place - 4) : place]
        sources = [f"e{number}" for number in range(entries)] if not near or rng.random() < 0.2 else near
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
            source = rng.choice(sources)
            chance = conditional if near else 0.3
            kind = "conditional" if rng.random() < chance else rng.choice(["sequential"] * 4 + ["data"])
            edges.append(_edge(len(edges), kind, nodes[source], target, rng))
    rng.shuffle(edges)
    return edges


def _edge(number: int, kind: str, source: JSON, target: str, rng: Random) -> JSON:
    port = source["outputs"][rng.random() < 0.25]["id"]
    edge: JSON = {
        "id": f"edge_{number}",
        "type": kind,
        "source": {"node": source["id"], "port": port},
        "target": {"node": target, "port": "d" if kind == "data" else "in"},
    }
    if kind == "conditional":
        edge["condition"] = rng.choice(MATCHED if source["config"].get("style") == "match" else CONDITIONS)
    return edge
