"""Documents as large as the limits allow, of shapes that are hard on some part: compiled or refused, in bounds."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from compiler import compiler_hostile_graphs
from compiler.compiler_hostile_checks import check_document
from compiler.compiler_hostile_shapes import Size, all_shapes
from compiler.compiler_measure import DONE, REFUSALS
from compiler.compiler_work import calls
from hypothesis import settings

TESTS = Path(__file__).parents[1]
SHAPES = all_shapes()
SMALL = [name for name in SHAPES if not name.startswith("expressions_")]
"""Many expressions are what one is, many times."""
CHOSEN = (
    *("chain", "ladder_of_decisions", "layers_wide", "diamonds_inside_diamonds"),
    *("loops_and_parallels_in_turn", "deep_values"),
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


@pytest.mark.parametrize("name", LARGE)
def test_at_the_limits_a_shape_is_compiled_or_refused_in_bounds(name: str) -> None:
    bounds = ["--cpu", str(CPU_SECONDS), "--megabytes", str(MEGABYTES)]
    command = [sys.executable, "-m", "compiler.compiler_measure", *bounds, "--format", "yaml", name]

    told = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True)

    costs = [orjson.loads(line) for line in told.stdout.splitlines()]
    assert costs[0]["stage"] == "validate"
    assert {cost["outcome"] for cost in costs} <= {DONE, *(refusal.__name__ for refusal in REFUSALS)}
