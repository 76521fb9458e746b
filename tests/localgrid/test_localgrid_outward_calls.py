"""Blocks that call out of the flow: other Cores, and plugins that are not here."""

from typing import Any

from localgrid_ir import (
    ScriptedCores,
    a_module,
    candidates,
    code_of,
    run,
    sets,
    tries,
)

from scaiflow_api.compiler import ir


async def test_a_plugin_that_is_not_here_fails_its_block_and_says_which_are() -> None:
    block = ir.RigidBlock(
        node_id="node_n", statements=(ir.PluginCallStatement(alias="scaidrive", method="search"),)
    )
    plugins: Any = {"scaiqueue": None, "scaibunker": None}
    strict = await run(a_module(block), plugins=plugins)
    tolerant = await run(a_module(tries(block), sets(None, output="on")))

    assert strict.failed is not None
    assert (strict.failed.code, strict.failed.node_id) == ("PLUGIN_UNAVAILABLE", "node_n")
    assert strict.failed.message == (
        "'scaidrive.search' cannot be called: the local grid has no plugin 'scaidrive', "
        "only scaibunker and scaiqueue"
    )
    assert strict.trace[-1] == "failed node_n"
    assert tolerant.output == "on"


def calls(**more: Any) -> ir.CoreCallBlock:
    return ir.CoreCallBlock(**{"node_id": "node_call", "target": "core://acme/other", **more})


async def test_another_core_gets_its_input_rendered_and_its_output_is_the_result() -> None:
    cores = ScriptedCores({"other": {"found": 1}})
    block = calls(
        flow_name="look_up",
        input_bindings={"id": "{{ id + 1 }}"},
        instance_key="key-{{ id }}",
        version="1.2.0",
        timeout="2m",
    )
    outcome = await run(a_module(block, outputs=candidates("node_call")), {"id": 6}, cores=cores)

    assert outcome.output == {"found": 1}
    request = cores.called[0]
    assert (request.target, request.flow_name, request.version) == ("core://acme/other", "look_up", "1.2.0")
    assert (request.input, request.instance_key, request.timeout_s) == ({"id": 7}, "key-6", 120)
    assert outcome.events[-1].payload["block_kind"] == "core_call"


async def test_a_call_that_is_not_waited_for_yields_null() -> None:
    cores = ScriptedCores()
    outcome = await run(
        a_module(calls(is_async=True), sets(None, output="{{ call }}")), {"call": 1}, cores=cores
    )

    assert (outcome.output, outcome.failed) == (None, None)
    assert [request.target for request in cores.started] == ["core://acme/other"]


async def test_a_call_that_fails_is_a_failure_like_any() -> None:
    assert await code_of(calls()) == "CORE_NOT_FOUND"
    assert await code_of(calls(timeout="soon")) == "INVALID_TIMEOUT"
    assert await code_of(tries(calls())) is None
