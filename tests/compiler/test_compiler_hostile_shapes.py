"""Documents as large as the limits allow, of shapes that are hard on some part: compiled or refused, in bounds."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import orjson
import pytest
from compiler import compiler_hostile_graphs, compiler_hostile_uses
from compiler.compiler_hostile_checks import check_document
from compiler.compiler_hostile_shapes import FULL, Size, all_shapes, flow, in_turn, names, node
from compiler.compiler_hostile_uses import uses
from compiler.compiler_measure import DONE, REFUSALS
from compiler.compiler_work import calls
from hypothesis import settings
from msgspec import structs

from scaiflow_api.compiler import check, validate_flow
from scaiflow_api.compiler.diagnostics import MAX_FINDINGS, Sink
from scaiflow_api.compiler.graph.flow import FlowNode
from scaiflow_api.compiler.lowering.lower import lower
from scaiflow_api.compiler.rules import wiring
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.flowgraph.scan import scan

TESTS = Path(__file__).parents[1]
SHAPES = all_shapes()
SMALL = [name for name in SHAPES if not name.startswith("expressions_")]
"""Many expressions are what one is, many times."""
CHOSEN = (
    *("chain", "ladder_of_decisions", "layers_wide", "diamonds_inside_diamonds"),
    *("loops_and_parallels_in_turn", "deep_values"),
    *("unknown_names_beside_own_names", "results_beside_own_names", "uses_of_unknown_fields"),
)
CPU_SECONDS, MEGABYTES = 20, 600
"""Beyond these a stage is ended. The aim is 2 seconds and 500 MB, on a machine that does nothing else."""
LARGE = SHAPES if settings.default and settings.default.max_examples > 1_000 else CHOSEN
"""With the profile `fuzz` all of them, which takes a quarter of an hour."""


@pytest.mark.parametrize("name", SMALL)
def test_a_shape_is_compiled_or_refused(name: str) -> None:
    check_document(orjson.loads(orjson.dumps(SHAPES[name](Size(200)))))


@pytest.mark.parametrize("name", compiler_hostile_graphs.SHAPES)
def test_twice_the_graph_is_about_twice_the_work(name: str) -> None:
    """The whole way: validating, compiling to all formats, verifying, importing."""
    texts = [orjson.dumps(SHAPES[name](Size(share))) for share in (200, 100)]

    work = [calls(lambda: check_document(document)) for document in map(orjson.loads, texts)]  # noqa: B023

    assert work[1] / work[0] < 1.25 * len(texts[1]) / len(texts[0])


@pytest.mark.parametrize("name", compiler_hostile_uses.SHAPES)
def test_twice_the_uses_are_about_twice_the_work(name: str) -> None:
    """Half of them beside half as much of whatever they could be held against."""
    texts = [orjson.dumps(SHAPES[name](Size(share))) for share in (100, 50)]

    work = [calls(lambda: validate_flow(document)) for document in map(orjson.loads, texts)]  # noqa: B023

    assert work[1] / work[0] < 1.25 * len(texts[1]) / len(texts[0])


@pytest.mark.parametrize("kind", ["llm_flexible", "data_variable_set"])
def test_what_many_nodes_offer_is_looked_up_once_for_all_texts_of_a_node(kind: str) -> None:
    config = {
        "llm_flexible": {"goal": "Go.", "output_schema": {"r": "float"}},
        "data_variable_set": {"variable": "r", "value": "1"},
    }[kind]

    def work_of_a_use(offering: int) -> float:
        ids = names(offering)
        nodes = [node(name, kind, **config) for name in ids]
        documents = [flow([*nodes, uses(FULL, "{{r}}", n)], in_turn([*ids, "user"])) for n in (100, 200)]
        few, more = (calls(lambda: validate_flow(document)) for document in documents)  # noqa: B023
        return (more - few) / 100

    assert work_of_a_use(64) < 1.1 * work_of_a_use(4)


def test_variables_are_not_held_against_loops_once_there_are_findings_enough() -> None:
    def work(depth: int) -> int:
        loops = [node(name, "logic_loop", items="[]", max_concurrent=2) for name in names(depth, "l")]
        inside = [(*ends, None, "body") for ends in pairwise([*names(depth, "l"), "user"])]
        assignments = [{"variable": f"w{number}", "value": 1} for number in range(MAX_FINDINGS)]
        user = node("user", "data_variable_set", assignments=assignments)
        document = flow([*loops, user], [("entry", "l0"), *inside])
        return calls(lambda: validate_flow(document))

    assert work(8) < 1.1 * work(2)


def test_of_each_number_in_a_list_only_one_thing_is_asked() -> None:
    """A million integral floats keep the quick check from answering, so all of the document is gone through."""
    assert calls(lambda: scan({"a": [1.0] * 1_000}, DEFAULT_LIMITS)) < 1_100


def test_nodes_are_sorted_by_their_flows_once() -> None:
    class Nodes(list[int]):
        times: ClassVar[int] = 0

        def __iter__(self) -> Iterator[int]:
            Nodes.times += 1
            return super().__iter__()

    checked = check.check_document(SHAPES["entries_alone"](Size(500)), DEFAULT_LIMITS)
    assert checked.sound is not None
    assert checked.sound.regions is not None
    regions = checked.sound.regions
    regions.levels[None] = Nodes(regions.levels[None])

    module = lower(checked.sound.view, regions)

    assert len(module.flows) > 2
    assert Nodes.times == 1


def test_of_numbers_in_a_configuration_nothing_is_asked() -> None:
    def work(count: int) -> int:
        loop = node("n0", "llm_flexible", goal="Go.", input_bindings={"a": [1] * count})
        document = flow([loop], in_turn(["n0"]))
        return calls(lambda: validate_flow(document))

    work(1_000)
    assert work(2_000) == work(1_000)


def test_the_ports_of_a_node_are_gone_through_once_for_all_of_its_edges() -> None:
    class Ports(tuple[str, ...]):
        times: ClassVar[int] = 0

        def __iter__(self) -> Iterator[str]:
            Ports.times += 1
            return super().__iter__()

        def __contains__(self, port: object) -> bool:
            Ports.times += 1
            return super().__contains__(port)

        def __hash__(self) -> int:
            Ports.times += 1
            return super().__hash__()

    document = SHAPES["many_ports"](Size(1_000))
    nodes = [FlowNode.of(index, item) for index, item in enumerate(document["nodes"])]
    nodes[1] = structs.replace(nodes[1], outputs=Ports(nodes[1].outputs))

    edges, _ = wiring.check(document["edges"], nodes, Sink())

    assert len(edges) == len(document["edges"]) == 16
    assert Ports.times == 1


@pytest.mark.parametrize("name", LARGE)
def test_at_the_limits_a_shape_is_compiled_or_refused_in_bounds(name: str) -> None:
    bounds = ["--cpu", str(CPU_SECONDS), "--megabytes", str(MEGABYTES)]
    command = [sys.executable, "-m", "compiler.compiler_measure", *bounds, "--format", "yaml", name]

    told = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True)

    costs = [orjson.loads(line) for line in told.stdout.splitlines()]
    assert costs[0]["stage"] == "validate"
    assert {cost["outcome"] for cost in costs} <= {DONE, *(refusal.__name__ for refusal in REFUSALS)}
