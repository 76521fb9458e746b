"""What the nodes and edges of random flows hold: configurations and conditions that tell much of a run.

Expressions use the input (`c0` to `c3`), the variables `v` and `w`, names of loops (`item`, `i`), results (by id,
by the binding `r`, by the field `from`) and data values (`d`). Some have no value and fail what holds them.
"""

from random import Random
from typing import Any

JSON = Any

INPUTS = ("c0", "c1", "c2", "c3")
VARIABLES = (
    {"name": "v", "type": "int", "default": 0},
    {"name": "w", "type": "any", "default": None},
)

SEEN = "{{ [v, w, r, item, i, from] }}"
WITHOUT_VALUE = "null > 1"
CONDITIONS = (
    *("c0", "c1", "c2", "c3", "!c0", "!c1", "true", "true"),
    *("v == 1", "v % 2 == 0", "d == null", "d != null", "false", WITHOUT_VALUE),
    *("w == 2", "r == null", "from == 'n1'", "item == 1", "i == 0"),
)
MATCHED = ("0", "1", "2", "'n1'", "true", "c0", "v > 1", "-1", "[1, 2]")
ITEMS = (*["[1, 2]", "[1, 0, 3]", "[item, v]"] * 2, "[c0]", "[]", "r ?? [1]", "d ?? [2, 1]", "v", "r")
"""What is no list when its turn comes fails the loop."""
WANTED = ("v < 2", "v < 3", "c0 && v < 5", "r == null", "w != 2", "true", "false", "d == null", WITHOUT_VALUE)
COLLECTED = ("item", "[i, item, v]", "r", "[d, w]", "[r, from]", WITHOUT_VALUE)
FAILS_LATER = "{{ (item ?? 9) > 1 ? null > 1 : 7 }}"
NUMBERS = (*["{{ v + 1 }}"] * 4, "{{ v * 2 }}", *range(4), FAILS_LATER)
"""Most conditions test `v`, so it stays a number."""
VALUES = (*["{{ item }}", "{{ r }}", "{{ [v, i] }}", "{{ d }}", SEEN] * 2, FAILS_LATER, 2, "text")


def config_of_a_node(kind: str, node_id: str, other_id: str, rng: Random) -> JSON:
    """Draw a configuration; `other_id` is another node, or none."""
    if kind == "logic_parallel":
        return {"fail_fast": False} if rng.random() < 0.2 else {}
    config: JSON = {"on_error": "continue"} if rng.random() < 0.6 else {}
    if kind == "logic_decision":
        return config | {"style": rng.choice(["if", "match"]), "subject": "v"}
    if rng.random() < 0.5:
        config["result_binding"] = "r"
    match kind:
        case "llm_rigid":
            told = [node_id, f"{node_id}: {{{{ v }}}} {{{{ d }}}}", f"{{{{ {other_id} }}}}", FAILS_LATER]
            config["template"] = rng.choice([*[SEEN] * 4, *told])
        case "data_variable_set":
            assignments = [_assignment(rng) for _ in range(rng.choice([1, 1, 1, 2]))]
            config |= assignments[0] if len(assignments) == 1 else {"assignments": assignments}
        case "llm_flexible" | "llm_guarded":
            config["goal"] = f"goal of {node_id}"
            if rng.random() < 0.3:
                config["output_schema"] = {"from": "string"}
    return config


def _assignment(rng: Random) -> JSON:
    name = rng.choice(["v", "v", "v", "w", "w", "output"])
    return {"variable": name, "value": rng.choice(NUMBERS if name == "v" else VALUES)}


def config_of_a_loop(inside: list[str], rng: Random) -> JSON:
    """Draw what is a loop's own; `inside` are the nodes of its body. Rounds are few."""
    if rng.random() < 0.6:
        config = {"items": rng.choice(ITEMS), **_options_of_a_foreach(rng)}
    else:
        own = [f"{node_id} == null" for node_id in inside]
        wanted = rng.choice(own) if own and rng.random() < 0.4 else rng.choice(WANTED)
        config = {"style": "while", "condition": wanted, "max_iterations": rng.randint(1, 3)}
    if rng.random() < 0.3:
        config["collect"] = rng.choice([*COLLECTED, *inside])
    return config


def _options_of_a_foreach(rng: Random) -> JSON:
    options = {
        "style": ["foreach"],
        "item_var": ["item", "item", "r", "w"],
        "index_var": ["i", "i", "i", "v"],
        "max_iterations": [1, 2, 3, 3],
        "max_concurrent": [1, 2, 2, 3, 3],
    }
    return {key: rng.choice(values) for key, values in options.items() if rng.random() < 0.4}


def condition_of_an_edge(source: JSON, other_id: str, rng: Random) -> str:
    if source["config"].get("style") == "match":
        return rng.choice(MATCHED)
    return rng.choice([f"{other_id} != null", f"{other_id} == null", *CONDITIONS])
