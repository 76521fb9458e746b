"""What blocks tell of themselves, round for round."""

from typing import Any

from localgrid_ir import (
    Outcome,
    a_module,
    arm,
    decides,
    each,
    repeats,
    run,
    says,
    splits,
)


def told(outcome: Outcome) -> list[tuple[str, str, Any]]:
    return [
        (event.type.rpartition(".")[2], event.payload["node_id"], event.payload.get("iteration"))
        for event in outcome.events
    ]


async def test_blocks_tell_of_every_round_and_in_which_they_are() -> None:
    inner = each("[1]", node_id="node_inner", collect="item")
    outer = each("[1, 2]", inner, decides("node_d", arm("item > 1", splits([says("node_n", "x")]), edge="e")))
    outcome = await run(a_module(outer))

    assert told(outcome) == [
        ("entered", "node_loop", None),
        ("entered", "node_inner", [0]),
        ("exited", "node_inner", [0]),
        ("entered", "node_d", [0]),
        ("exited", "node_d", [0]),
        ("entered", "node_inner", [1]),
        ("exited", "node_inner", [1]),
        ("entered", "node_d", [1]),
        ("exited", "node_d", [1]),
        ("entered", "node_split", [1]),
        ("entered", "node_n", [1]),
        ("exited", "node_n", [1]),
        ("exited", "node_split", [1]),
        ("exited", "node_loop", None),
    ]


async def test_loops_tell_their_value_and_parallels_that_they_have_none() -> None:
    loop = each("[1, 2]", says("node_n", "x"), collect="item", result_binding="list")
    outcome = await run(a_module(loop, splits([])))
    exits = [event.payload for event in outcome.events if event.type.endswith("exited")]

    assert [payload.get("iteration") for payload in exits] == [[0], [1], None, None]
    assert (exits[2]["block_kind"], exits[2]["result_binding"]) == ("foreach", "list")
    assert exits[2]["result_binding_value"] == [1, 2]
    assert exits[3]["block_kind"] == "parallel"
    assert exits[3]["result_binding_value"] is None
    assert "edge_id" not in exits[3]


async def test_failures_in_a_round_tell_the_round() -> None:
    inner = each("[0, 'a']", says("node_n", "{{ 1 + item }}"), node_id="node_inner")
    outcome = await run(a_module(repeats("true", inner)))

    assert told(outcome)[-3:] == [
        ("failed", "node_n", [0, 1]),
        ("failed", "node_inner", [0]),
        ("failed", "node_loop", None),
    ]
