"""How deep blocks may lie in one another."""

import json
from typing import Any

import pytest
from localgrid_ir import (
    a_module,
    arm,
    each,
    edges_of,
    repeats,
    run,
    sets,
    splits,
    tries,
)

from scaiflow_api.compiler import ManifestError, ir, read_manifest


def nested_manifest(steps: list[Any]) -> str:
    models = [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]
    core = {
        "name": "deep",
        "mode": "stateless",
        "runtime_version": "0.2",
        "identity": {"provider": "scaikey", "persona": "Tester"},
        "model": "scaigrid/openai/gpt-4o",
        "flows": [{"name": "deep", "trigger": {"type": "api"}, "steps": steps}],
        "scaiflow_meta": {"source_id": None, "source_version": "1.0.0", "models": models},
    }
    return json.dumps({"core": core})


def wrapped(form: str, steps: list[Any]) -> list[Any]:
    inner = {
        "foreach": {"items": "[1]", "steps": steps},
        "while": {"condition": "on", "max_iterations": 2, "steps": steps},
        "parallel": {"branches": [{"edge": "e", "steps": steps}]},
        "match": {"arms": [{"when": "true", "edge": "e", "steps": steps}]},
    }
    return [{form: inner[form], "on_error": "continue"}]


def is_read(steps: list[Any]) -> bool:
    try:
        read_manifest(nested_manifest(steps))
    except ManifestError:
        return False
    return True


@pytest.mark.parametrize("form", ["foreach", "while", "parallel", "match"])
async def test_what_a_manifest_can_nest_can_be_run(form: str) -> None:
    values = {"output": "deep", "on": False}
    steps: list[Any] = [{"set": [{"variable": name, "value": value} for name, value in values.items()]}]
    levels = 0
    while is_read(around := wrapped(form, steps)):
        steps = around
        levels += 1
    outcome = await run(read_manifest(nested_manifest(steps)), {"on": True})

    assert levels > 20
    assert outcome.failed is None
    assert outcome.output == "deep"


async def test_deep_nesting_is_no_matter_of_the_stack() -> None:
    expression = f"{'(' * 60}1{')' * 60} + v"
    body: ir.AnyBlock = sets("node_deep", output=f"{{{{ {expression} }}}}")
    for level in range(40):
        wrapped = edges_of(None, arm("true", tries(body)))
        shapes = (
            each("[1]", wrapped, node_id=f"node_{level}"),
            splits([wrapped]),
            repeats("v == 0", wrapped),
        )
        again = sets(None, v="{{ v + 0 }}")
        body = shapes[level % 2] if level % 3 else each("[1]", again, tries(wrapped), node_id=None)
    outcome = await run(a_module(body, variables={"v": 0}))

    assert outcome.failed is None
    assert outcome.output == 1
