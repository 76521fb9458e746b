"""Flow documents with all that may stand in one: keys that look like our own, odd names, numbers and nesting."""

import copy
from random import Random
from typing import Any

from hypothesis import strategies as st

JSON = dict[str, Any]
KEYS = [
    "a",
    "b",
    "A",
    "$index",
    "$list",
    "$absent",
    "$$index",
    "$schema",
    "",
    "a0",
    "id",
    "name",
    "é",
    "e\u0301",
]
SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**53,
    -(2**53),
    1.5,
    1e300,
    -0.25,
    "",
    "text",
    "😀 \u2028",
    "a0",
]
KINDS = ["llm_rigid", "entry_api", "checkpoint"]


def flows() -> st.SearchStrategy[JSON]:
    """Draw a flow. What is in it follows from a seed: large ones come up often enough only so."""
    return st.builds(lambda seed: a_flow(Random(seed)), st.integers(0, 2**32))


def histories() -> st.SearchStrategy[tuple[JSON, JSON, JSON]]:
    """Draw a flow, and what two people made of it."""
    return st.builds(_history, st.integers(0, 2**32))


def a_flow(random: Random) -> JSON:
    flow: JSON = {"id": "flow_a", "name": "A", "version": "1.0.0"}
    optional: JSON = {
        "nodes": [_node(random, name) for name in _names(random, "n")],
        "edges": [_edge(random, name) for name in _names(random, "e")],
        "variables": [
            {"name": name, "type": "text", "default": _json(random)} for name in _names(random, "v")
        ],
        "tests": [
            {"name": name, "input": _object(random), "expect": _object(random), "tags": ["x"]}
            for name in random.sample(
                ["", "$index", "$list", "$absent", "a0", "ü", "t"], random.randint(0, 4)
            )
        ],
        "config": _config(random),
        "metadata": {"author": "me", **_object(random)},
        "$schema": "x",
    }
    return flow | {key: optional[key] for key in optional if random.random() < 0.8} | _unknown(random)


def _history(seed: int) -> tuple[JSON, JSON, JSON]:
    random = Random(seed)
    base = a_flow(random)
    return base, edited(random, base), edited(random, base)


def edited(random: Random, flow: JSON) -> JSON:
    """Return the flow after some changes by somebody."""
    new = copy.deepcopy(flow)
    for _ in range(random.randint(0, 4)):
        random.choice([_change_list, _change_list, _change_node, _change_node, _change_top])(random, new)
    return new


def _change_list(random: Random, flow: JSON) -> None:
    key = random.choice(["nodes", "edges"])
    items = flow.setdefault(key, [])
    action = random.choice(["add", "remove", "move", "shuffle"])
    if action == "add" or not items:
        item_id = f"{key[0]}{random.randint(0, 12)}"
        if item_id not in [item["id"] for item in items]:
            new = _node(random, item_id) if key == "nodes" else _edge(random, item_id)
            items.insert(random.randint(0, len(items)), new)
    elif action == "remove":
        items.pop(random.randrange(len(items)))
    elif action == "move":
        items.insert(random.randrange(len(items)), items.pop(random.randrange(len(items))))
    else:
        random.shuffle(items)


def _change_node(random: Random, flow: JSON) -> None:
    if not flow.get("nodes"):
        return
    node = random.choice(flow["nodes"])
    action = random.choice(["label", "config", "drop", "ports", "nested", "list"])
    if action == "label":
        node["label"] = str(random.random())
    elif action == "drop":
        node.pop("config", None)
    elif action == "ports":
        node["inputs"] = [{"id": name, "label": "x"} for name in _names(random, "p")]
    else:
        config = node.setdefault("config", {})
        if action == "config":
            config[random.choice(KEYS)] = _json(random)
        elif action == "nested":
            config.setdefault("args", {})[random.choice(KEYS)] = _json(random)
        else:
            options = config.setdefault("options", [])
            options.insert(random.randint(0, len(options)), _json(random))
            if random.random() < 0.4:
                options.pop(random.randrange(len(options)))


def _change_top(random: Random, flow: JSON) -> None:
    key = random.choice(["config", "metadata", "variables", "tests", "extra", "nodes"])
    fresh = a_flow(random)
    if random.random() < 0.3 or key not in fresh:
        flow.pop(key, None)
    else:
        flow[key] = fresh[key]


def _names(random: Random, prefix: str) -> list[str]:
    return [f"{prefix}{number}" for number in random.sample(range(12), random.randint(0, 6))]


def _node(random: Random, node_id: str) -> JSON:
    node: JSON = {
        "id": node_id,
        "type": random.choice(KINDS),
        "label": random.choice(["A", "B", ""]),
        "position": {"x": random.choice([0, 1.5, -3]), "y": 2},
    }
    if random.random() < 0.7:
        node["config"] = _object(random)
    if random.random() < 0.5:
        node["outputs"] = [
            {"id": name} for name in random.sample(["out", "alt", "no-3"], random.randint(0, 3))
        ]
    return node | _unknown(random)


def _edge(random: Random, edge_id: str) -> JSON:
    ends = {"source": {"node": "n1", "port": "out"}, "target": {"node": "n2", "port": "in"}}
    return {"id": edge_id, "type": "sequential", **ends, **_unknown(random)}


def _config(random: Random) -> JSON:
    models = [
        {"role": role, "ref": "r", "model": "m"}
        for role in random.sample(["a", "b", "c"], random.randint(1, 3))
    ]
    queues = [{"slug": slug} for slug in random.sample(["x", "y", "$list"], random.randint(0, 3))]
    config = {
        "core_identity": {"models": models},
        "scaiqueue": {"queues": queues},
        "plugins": [_json(random)],
    }
    return {key: value for key, value in config.items() if random.random() < 0.7}


def _unknown(random: Random) -> JSON:
    return {"extra": _json(random)} if random.random() < 0.3 else {}


def _object(random: Random, depth: int = 0) -> JSON:
    return {key: _json(random, depth + 1) for key in random.sample(KEYS, random.randint(0, 4))}


def _json(random: Random, depth: int = 0) -> Any:
    kind = random.random()
    if depth > 4 or kind < 0.5:
        return random.choice(SCALARS)
    if kind < 0.75:
        return _object(random, depth)
    return [_json(random, depth + 1) for _ in range(random.randint(0, 3))]
