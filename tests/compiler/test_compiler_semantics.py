"""What is compiled behaves like the graph: the two ways to run a flow agree on everything that can be seen."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from compiler.compiler_documents import a_decision, a_flow, a_node, a_text, an_entry
from compiler.compiler_graph_run import Graph, GraphRun
from compiler.compiler_module_run import ModuleRun
from compiler.compiler_random_configs import INPUTS
from compiler.compiler_random_flows import flows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import compile_flow, ir, read_manifest

SIZES = (6, 14, 24, 40)
EXAMPLES = max(2_000, settings().max_examples) // len(SIZES)
"""Of each size; the profile `fuzz` draws more."""

GIVENS = [dict.fromkeys(INPUTS, False), dict.fromkeys(INPUTS, True)] + [
    {name: name == chosen for name in INPUTS} for chosen in ("c0", "c1")
]


def arms_deep(body: tuple[ir.AnyBlock, ...]) -> int:
    """Return how deep arms nest, counted anew in each body of a loop or branch."""
    found = 0
    for block in body:
        inner = [part for part in ir.bodies(block) if part]
        deepest = max(map(arms_deep, inner), default=0)
        found = max(found, deepest + bool(inner) if isinstance(block, ir.MatchBlock) else 0)
    return found


def bodies_of(flow: ir.Flow) -> list[tuple[ir.AnyBlock, ...]]:
    return [flow.body, *(body for block in ir.walk(flow.body) for body in ir.bodies(block))]


@pytest.mark.parametrize("size", SIZES)
@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_compiled_flows_do_what_their_graphs_say(size: int, data: st.DataObject) -> None:
    document = data.draw(flows(size))
    module = compile_flow(document, "ir").module  # a bundle is written in less time than a manifest
    graph = Graph(document)

    for node in document["nodes"]:
        for given_input in GIVENS if node["type"].startswith("entry") else ():
            by_block = ModuleRun(module, node["id"], given_input).run()
            assert by_block == GraphRun(graph, node["id"], given_input).run()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(flows(30))
def test_every_reachable_node_is_placed_once_and_arms_nest_no_deeper_than_eight(document: Any) -> None:
    module = compile_flow(document, "ir").module

    for flow in module.flows:
        placed = Counter(block.node_id for block in ir.walk(flow.body) if block.node_id is not None)
        assert set(placed.values()) <= {1}
        assert max(map(arms_deep, bodies_of(flow))) <= 8


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(flows(24))
def test_a_manifest_is_read_as_the_module_that_was_written(document: Any) -> None:
    compiled = compile_flow(document)

    assert read_manifest(str(compiled.body)) == compiled.module


@pytest.mark.parametrize("around", ["entry", "loop", "both"])
@pytest.mark.parametrize("steps", [3, 8, 9, 10, 25])
def test_chains_of_conditions_agree_at_and_beyond_the_depth_limit(steps: int, around: str) -> None:
    names = [f"n{number}" for number in range(steps)]
    document = a_flow(
        [
            an_entry(),
            a_node("loop", "logic_loop", config={"items": "[1, 2]"}),
            a_node("both", "logic_parallel", config={}),
            *map(a_decision, names),
            *map(a_text, ("beside", "last")),
        ],
        *(("entry", "loop"), ("loop", "both"), ("both", "beside"), (around, names[0])),
        *((first, second, "c0") for first, second in pairwise(names)),
        (names[-1], "last", "c1"),
        variables=[],
    )
    for edge in document["edges"]:
        if edge["source"]["node"] == "loop":
            edge["source"]["port"] = "body"
    module = compile_flow(document).module

    assert max(map(arms_deep, bodies_of(module.flows[0]))) == min(steps, 8)
    for given_input in ({"c0": True, "c1": True}, {"c0": True, "c1": False}, {"c0": False, "c1": True}):
        run = ModuleRun(module, "entry", given_input).run()
        assert run == GraphRun(Graph(document), "entry", given_input).run()
