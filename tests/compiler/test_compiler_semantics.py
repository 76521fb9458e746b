"""What is compiled behaves like the graph: the two ways to run a flow agree on everything that can be seen."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from compiler_documents import INPUTS, a_decision, a_flow, a_text, an_entry, flows
from compiler_reference import GraphRun, ModuleRun
from hypothesis import HealthCheck, given, settings

from scaiflow_api.compiler import compile_flow, ir, read_manifest

GIVENS = [dict.fromkeys(INPUTS, False), dict.fromkeys(INPUTS, True)] + [
    {name: name == chosen for name in INPUTS} for chosen in ("c0", "c1")
]


def blocks_of(body: tuple[ir.AnyBlock, ...]) -> list[ir.AnyBlock]:
    found = []
    for block in body:
        found.append(block)
        if isinstance(block, ir.MatchBlock):
            for arm in block.arms:
                found += blocks_of(arm.body)
            found += blocks_of(block.else_body)
    return found


def depth_of(body: tuple[ir.AnyBlock, ...]) -> int:
    inner = [
        depth_of(part)
        for block in body
        if isinstance(block, ir.MatchBlock)
        for part in (*(arm.body for arm in block.arms), *([block.else_body] if block.else_body else []))
    ]
    return 1 + max(inner) if inner else 0


@settings(deadline=None, max_examples=320, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_compiled_flows_do_what_their_graphs_say(document: Any) -> None:
    module = compile_flow(document).module

    for node in document["nodes"]:
        for given_input in GIVENS if node["type"].startswith("entry") else ():
            by_block = ModuleRun(module, node["id"], given_input).run()
            assert by_block == GraphRun(document, node["id"], given_input).run()


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_every_reachable_node_is_placed_once_and_arms_nest_no_deeper_than_eight(document: Any) -> None:
    module = compile_flow(document).module

    for flow in module.flows:
        placed = Counter(block.node_id for block in blocks_of(flow.body) if block.node_id is not None)
        assert set(placed.values()) <= {1}
        assert depth_of(flow.body) <= 8


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_a_manifest_is_read_as_the_module_that_was_written(document: Any) -> None:
    compiled = compile_flow(document)

    assert read_manifest(str(compiled.body)) == compiled.module


@pytest.mark.parametrize("steps", [3, 8, 9, 10, 25])
def test_chains_of_conditions_agree_at_and_beyond_the_depth_limit(steps: int) -> None:
    names = [f"n{number}" for number in range(steps)]
    ways = [(first, second, "c0") for first, second in pairwise(names)]
    document = a_flow(
        [an_entry(), *map(a_decision, names), a_text("last")],
        ("entry", "n0"),
        *ways,
        (names[-1], "last", "c1"),
        variables=[],
    )
    module = compile_flow(document).module

    assert depth_of(module.flows[0].body) == min(steps, 8)
    for given_input in ({"c0": True, "c1": True}, {"c0": True, "c1": False}, {"c0": False, "c1": True}):
        run = ModuleRun(module, "entry", given_input).run()
        assert run == GraphRun(document, "entry", given_input).run()
