"""Which name means what: the weakest first, each test one step of the ladder."""

from typing import Any

import pytest
from localgrid_ir import (
    ScriptedModels,
    a_module,
    arm,
    asks,
    decides,
    edges_of,
    guards,
    run,
    says,
    sets,
    tries,
)

from scaiflow_api.compiler import ir


async def seen(
    template: str, *before: ir.AnyBlock, given: dict[str, Any] | None = None, **module: Any
) -> Any:
    """Return what a template sees after some blocks."""
    last = says("node_last", template)
    outcome = await run(
        a_module(*before, last, outputs=[ir.OutputCandidate(node_id="node_last")], **module), given or {}
    )
    assert outcome.failed is None, outcome.failed
    return outcome.output


async def test_fields_of_the_input_are_names() -> None:
    assert await seen("{{ message.text }}", given={"message": {"text": "hi"}}) == "hi"


async def test_the_input_is_always_there_whole() -> None:
    given = {"input": "not this", "a": 1}

    assert await seen("{{ input }}", given=given) == given
    assert await seen("{{ input.a }}", given={"a": 1}, variables={"a": 2}) == 1


async def test_the_entry_names_the_input() -> None:
    assert await seen("{{ entry.a + node_entry.a }}", given={"a": 2}) == 4


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ((), "default"),
        ((sets("node_set", x="assigned"),), "assigned"),
    ],
)
async def test_variables_beat_the_input(before: tuple[ir.AnyBlock, ...], expected: str) -> None:
    assert await seen("{{ x }}", *before, given={"x": "input"}, variables={"x": "default"}) == expected


async def test_results_beat_variables() -> None:
    assert await seen("{{ x }}", says("node_x", "result"), sets("node_y", x="variable")) == "result"


async def test_later_results_beat_earlier_ones() -> None:
    first = says("node_x", "first")
    second = says("node_other", "second", result_binding="x")

    assert await seen("{{ x }}", first, second) == "second"
    assert await seen("{{ x }}", second, first) == "first"


async def test_one_nodes_names_stand_in_their_order() -> None:
    async def with_result(binding: str | None, answer: dict[str, Any]) -> list[Any]:
        block = asks("node_n", output_type=dict.fromkeys(answer, "string"), result_binding=binding)
        module = a_module(
            block,
            sets(None, output=["{{ f }}", "{{ n }}", "{{ b }}", "{{ node_n }}"]),
            variables={"f": "v", "b": "v"},
        )
        output: list[Any] = (await run(module, models=ScriptedModels([answer]))).output
        return output

    assert await with_result(None, {"f": "field"}) == ["field", {"f": "field"}, "v", {"f": "field"}]
    assert await with_result("b", {"b": "field"}) == ["v", {"b": "field"}, {"b": "field"}, {"b": "field"}]
    assert (await with_result("f", {"n": "field"}))[:2] == [{"n": "field"}, {"n": "field"}]
    assert (await with_result("node_n", {"node_n": "field"}))[3] == {"node_n": "field"}


async def test_undeclared_fields_are_no_names() -> None:
    outcome = await run(
        a_module(says("node_n", {"f": 1}), sets(None, output=["{{ f }}", "{{ n.f }}"])),
    )

    assert outcome.output == [None, 1]


@pytest.mark.parametrize("name", ["input", "output", "result", "not-a-name", "__flag", "true"])
async def test_some_names_are_never_short(name: str) -> None:
    block = asks("node_n", output_type={name: "string", "kept": "string"}, result_binding=name)
    module = a_module(
        block,
        sets(None, output=["{{ kept }}", "{{ __flag }}", "{{ result }}", "{{ input }}", "{{ true }}"]),
        variables={"input": "v"},
    )
    outcome = await run(module, {"__flag": "forged"}, ScriptedModels([{name: "x", "kept": "k"}]))

    assert outcome.output == ["k", None, None, {"__flag": "forged"}, True]


async def test_variables_keep_those_names_except_input() -> None:
    body = (
        sets("node_set", output="assigned", input="ignored"),
        says("node_n", ["{{ output }}", "{{ result }}"]),
    )
    outcome = await run(a_module(*body, variables={"result": "declared"}), {"output": "input"})

    assert outcome.events[-1].payload["result_binding_value"] == ["assigned", "declared"]
    assert await seen("{{ input }}", sets(None, input="ignored"), given={"a": 1}) == {"a": 1}


async def test_generated_flags_cannot_be_forged() -> None:
    body = (
        sets(None, __done=False),
        says("node___done", "forged"),
        edges_of(None, arm("__done", sets(None, output="taken"))),
    )

    assert (await run(a_module(*body), {"__done": True})).output is None


async def test_the_flag_of_the_entry_names_the_trigger() -> None:
    assert await seen("{{ __entry }}") == "node_entry"


async def test_bindings_are_names_of_their_node_only() -> None:
    models = ScriptedModels()
    block = asks(
        "node_n",
        goal="{{ text }}/{{ extra }}",
        input_bindings={"text": "{{ text }}!"},
        context_bindings={"extra": "{{ text }}?"},
    )
    outcome = await run(a_module(block, sets(None, output="{{ text }}{{ extra }}")), {"text": "t"}, models)

    assert models.requests[0].goal == "t!/t?"
    assert outcome.output == "t"


async def test_data_edges_are_the_strongest_names() -> None:
    models = ScriptedModels()
    block = guards(
        "node_n",
        guard="port == 'data'",
        goal="{{ port }} {{ missing }}",
        input_bindings={"port": "binding of {{ port }}"},
        data_bindings={"port": "node_source", "missing": "node_never", "in": "node_source"},
    )
    outcome = await run(
        a_module(says("node_source", "data"), block, says("node_after", "{{ port }}")),
        {"port": "input"},
        models,
    )

    assert outcome.failed is None
    assert models.requests[0].goal == "data "
    assert models.requests[0].inputs == {"port": "binding of data"}
    assert outcome.events[-1].payload["result_binding_value"] == "input"


async def test_a_data_edge_may_come_from_the_entry() -> None:
    block = says("node_n", "{{ port.a }}", data_bindings={"port": "node_entry"})
    outcome = await run(a_module(block, outputs=[ir.OutputCandidate(node_id="node_n")]), {"a": 7})

    assert outcome.output == 7


async def test_conditions_on_edges_see_what_their_node_saw() -> None:
    block = asks("node_n", input_bindings={"bound": "{{ 1 }}"}, data_bindings={"port": "node_entry"})
    taken = edges_of("node_n", arm("bound == 1 && port.a == 7", sets("node_yes", output="yes")))

    assert (await run(a_module(block, taken), {"a": 7})).output == "yes"
    assert (
        await run(a_module(block, says("node_m", "x"), edges_of("node_m", *taken.arms)), {"a": 7})
    ).output is None


async def test_all_ways_out_of_a_decision_see_its_data() -> None:
    first = decides("node_d", arm("port.a == 0"), data_bindings={"port": "node_entry"})
    second_port = edges_of("node_d", arm("port.a == 7", sets(None, output="second")))

    assert (await run(a_module(first, second_port), {"a": 7})).output == "second"


async def test_a_node_that_failed_and_went_on_is_null() -> None:
    failing = tries(says("node_x", "{{ 1 + 'a' }}", result_binding="bound"))
    outcome = await run(
        a_module(failing, sets(None, output=["{{ x }}", "{{ bound }}"])), {"x": "input", "bound": "input"}
    )

    assert outcome.output == [None, None]
