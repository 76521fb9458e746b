"""What a failure fails, and where an attempt catches it."""

import pytest
from localgrid_ir import (
    BROKEN,
    a_module,
    arm,
    candidates,
    each,
    edges_of,
    output_of,
    repeats,
    run,
    says,
    sets,
    splits,
    tries,
)

from scaiflow_api.compiler import ir


async def test_a_failure_fails_everything_around_it() -> None:
    loop = each("[1]", splits([each("[0, 'a']", says("node_n", "{{ 1 + item }}"), node_id="node_inner")]))
    outcome = await run(a_module(loop, says("node_after", "x")))

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("EVALUATION_ERROR", "node_n")
    assert outcome.trace[-5:] == [
        "entered node_n",
        "failed node_n",
        "failed node_inner",
        "failed node_split",
        "failed node_loop",
    ]
    assert not any(event.payload.get("handled") for event in outcome.events)


async def test_an_attempt_catches_what_fails_in_it() -> None:
    loop = each("[1, 'a']", sets("node_set", v="{{ item }}"), says("node_n", "{{ 1 + item }}"))
    body = (
        tries(loop, sets(None, caught="{{ loop == null && v == 'a' }}")),
        says("node_after", "{{ caught }}"),
    )
    outcome = await run(a_module(*body, outputs=candidates("node_after"), variables={"loop": "hidden"}))

    assert outcome.output is True
    assert [e.payload["handled"] for e in outcome.events if "error" in e.payload] == [False, True]
    assert outcome.trace[-4:] == [
        "failed node_n",
        "failed node_loop",
        "entered node_after",
        "exited node_after",
    ]


async def test_an_attempt_that_succeeds_catches_nothing() -> None:
    body = (tries(says("node_n", "ok"), sets(None, output="caught")), says("node_after", "{{ n }}"))

    assert await output_of(*body) == "ok"


async def test_what_is_caught_binds_null_under_all_names() -> None:
    failing = tries(says("node_x", BROKEN, result_binding="bound"))

    assert await output_of(failing, says("node_after", "{{ [x, bound] }}"), x="input", bound="input") == [
        None,
        None,
    ]


async def test_a_failure_while_catching_goes_on_outwards() -> None:
    body = tries(says("node_n", BROKEN), says("node_catch", BROKEN))
    outcome = await run(a_module(body))

    assert outcome.failed is not None
    assert outcome.failed.node_id == "node_catch"
    assert (await run(a_module(tries(each("[1]", body))))).failed is None


async def test_every_round_has_its_own_attempt() -> None:
    loop = each("[1, 'a', 3]", tries(says("node_n", "{{ 1 + item }}")), outputs=candidates("node_n"))

    assert await output_of(loop) == [2, None, 4]


async def test_a_broken_sequential_round_keeps_what_it_assigned() -> None:
    loop = each("[1, 2, 'a']", sets("node_set", v="{{ item }}"), says("node_n", "{{ 1 + item }}"))
    outcome = await run(a_module(tries(loop), sets(None, output="{{ v }}")))

    assert outcome.output == "a"


@pytest.mark.parametrize(
    "loop",
    [
        each("[1]", collect="1 + 'a'"),
        each("1 + 'a'"),
        repeats("1 + 'a'"),
        each("[1, 2]", edges_of("node_loop", arm("1 + 'a'"))),
    ],
)
async def test_expressions_of_a_loop_fail_the_loop(loop: ir.AnyBlock) -> None:
    outcome = await run(a_module(loop))

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("EVALUATION_ERROR", "node_loop")
    assert outcome.trace[-1] == "failed node_loop"
