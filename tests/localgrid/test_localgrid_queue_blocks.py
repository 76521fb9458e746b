"""Flows that use queues, deployed and run on the grid."""

import asyncio
from typing import Any

import pytest
from localgrid_chain import chain, run_chain
from localgrid_queues import TestQueue, a_queue, listed
from localgrid_support import SCAICORE, Caller, RunningGrid, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaiqueue.message import Actor
from scaiflow_api.localgrid.scaiqueue.post import Post

TOPOLOGY = {"scaiqueue": {"scope": "support", "queues": [{"slug": "review"}]}}


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


@pytest.fixture
async def queue(bob: Caller) -> TestQueue:
    return await a_queue(bob)


def publishes(**config: Any) -> tuple[str, str, dict[str, Any]]:
    given = {
        "queue": "review",
        "message_type": "order.new",
        "payload": {"id": "{{ id }}", "text": "n. {{ id }}"},
    }
    return ("tell", "queue_publish", given | config)


def consumes(**config: Any) -> tuple[str, str, dict[str, Any]]:
    return ("take", "queue_consume", {"queue": "review"} | config)


async def run(caller: Caller, *nodes: tuple[str, str, dict[str, Any]], **run_input: Any) -> dict[str, Any]:
    return await run_chain(caller, *nodes, config=TOPOLOGY, **run_input)


async def test_what_a_flow_publishes_another_node_consumes(bob: Caller, queue: TestQueue) -> None:
    answer = await run(bob, publishes(), consumes(), id=7)

    assert (answer["status"], answer["output"]) == ("COMPLETED", {"id": 7, "text": "n. 7"})
    (message,) = (await listed(bob, f"{queue.scope}/messages"))["items"]
    assert (message["state"], message["attempts"]) == ("completed", 1)


async def test_a_publication_yields_the_messages_id(bob: Caller, queue: TestQueue) -> None:
    node = publishes(
        priority="critical",
        labels={"tier": "{{ tier }}"},
        correlation_id="order-{{ id }}",
        idempotency_key="{{ id }}",
        ttl_seconds=60,
    )
    answer = await run(bob, node, id=7, tier="gold")
    message = await listed(bob, f"{queue.scope}/messages/{answer['output']['message_id']}")

    assert message["priority_tier"] == "critical"
    assert message["labels"] == {"tier": "gold"}
    assert (message["correlation_id"], message["idempotency_key"]) == ("order-7", "7")
    assert message["expires_at"] == "2026-04-29T12:35:56.000Z"
    assert message["source_type"] == "core"
    again = await run(bob, node, id=7, tier="gold")
    assert again["output"] == answer["output"]


async def test_nothing_to_take_is_null_or_an_empty_list(bob: Caller, queue: TestQueue) -> None:
    assert (await run(bob, consumes()))["output"] is None
    assert (await run(bob, consumes(batch_size=5)))["output"] == []


async def test_a_batch_is_a_list(bob: Caller, queue: TestQueue) -> None:
    for number in range(3):
        await queue.publish(number)

    assert (await run(bob, consumes(batch_size=2)))["output"] == [0, 1]
    assert (await run(bob, consumes(batch_size=2)))["output"] == [2]


async def test_manual_leaves_the_claim_to_others(grid: RunningGrid, bob: Caller, queue: TestQueue) -> None:
    await queue.publish({"n": 1})
    assert (await run(bob, consumes(ack="manual")))["output"] == {"n": 1}

    (held,) = (await listed(bob, f"{queue.scope}/messages", state="claimed"))["items"]
    assert held["claimed_by_type"] == "core"
    assert await queue.claim() == []
    grid.clock.forward(30)
    assert (await run(bob, consumes(ack="manual")))["output"] == {"n": 1}
    assert (await queue.end("complete", held)).json()["data"]["attempts"] == 2


async def test_a_node_waits_for_a_message(bob: Caller, queue: TestQueue) -> None:
    core_id = await bob.running(chain(consumes(wait="20s"), config=TOPOLOGY))
    running = asyncio.create_task(bob.invoke(core_id))
    await asyncio.sleep(0.1)
    assert not running.done()
    await queue.publish("at last")

    assert (await running)["output"] == "at last"


async def taken(grid: RunningGrid, wait_s: float) -> list[Any]:
    """Take as a node does, though with a wait that no flow could name."""
    post: Post = grid.app.state.grid.post
    core = Actor(type="core", id="core_x")
    found = await post.take("tnt_acme", "support", "review", core, most=1, wait_s=wait_s, complete=True)
    return [message.published["body"] for message in found]


async def test_taking_waits_no_longer_than_asked(grid: RunningGrid, queue: TestQueue) -> None:
    async with asyncio.timeout(10):
        assert await taken(grid, 0.05) == []


async def test_of_two_that_wait_one_gets_the_message(grid: RunningGrid, queue: TestQueue) -> None:
    waiting = [asyncio.create_task(taken(grid, 0.2)) for _ in range(2)]
    await asyncio.sleep(0.02)
    await queue.publish("one")

    assert sorted(await asyncio.gather(*waiting)) == [[], ["one"]]


async def test_what_becomes_visible_while_somebody_waits_is_taken(
    grid: RunningGrid, queue: TestQueue
) -> None:
    await queue.publish("delayed", delay_until="2026-04-29T12:35:26Z")
    waiting = asyncio.create_task(taken(grid, 20))
    await asyncio.sleep(0.02)
    grid.clock.forward(30)

    assert await waiting == ["delayed"]


async def test_an_escalation_tells_why_and_to_whom(bob: Caller, queue: TestQueue) -> None:
    node = {
        "queue": "review",
        "reason": "order {{ id }} is stuck",
        "payload": {"id": "{{ id }}"},
        "assignee": "group:grp_ops",
    }
    answer = await run(bob, ("up", "queue_escalation", node), id=7)
    message = await listed(bob, f"{queue.scope}/messages/{answer['output']['message_id']}")

    assert message["body"] == {
        "reason": "order 7 is stuck",
        "payload": {"id": 7},
        "assignee": "group:grp_ops",
    }
    assert (message["message_type"], message["priority_tier"]) == ("escalation", "high")


async def test_a_core_hears_that_its_message_was_completed(bob: Caller, queue: TestQueue) -> None:
    core_id = await bob.running(chain(publishes(correlation_id="c-1"), config=TOPOLOGY))
    answer = await bob.invoke(core_id, input={"id": 1})
    (claimed,) = await queue.claim()
    await queue.end("complete", claimed, result={"decision": "approve"})

    last = (await bob.events(core_id=core_id))["events"][-1]
    assert last["type"] == "scaiqueue.message.completed"
    assert last["payload"] == {
        "execution_id": answer["execution_id"],
        "node_id": None,
        "message_id": claimed["id"],
        "scope_id": claimed["scope_id"],
        "queue_id": claimed["queue_id"],
        "message_type": "order.new",
        "correlation_id": "c-1",
        "result": {"decision": "approve"},
    }


UNFIT = [
    (publishes(queue="nowhere"), "SCAIQUEUE_QUEUE_NOT_FOUND"),
    (publishes(scope="nowhere"), "SCAIQUEUE_SCOPE_NOT_FOUND"),
    (consumes(queue="{{ nothing }}"), "INVALID_ARGUMENTS"),
    (publishes(queue="_dead_letter"), "SCAIQUEUE_STATE_CONFLICT"),
    (publishes(correlation_id="{{ long }}"), "INVALID_ARGUMENTS"),
    (publishes(payload="{{ 1 + 'a' }}"), "EVALUATION_ERROR"),
]


async def test_what_cannot_be_done_fails_the_node(bob: Caller, queue: TestQueue) -> None:
    for node, code in UNFIT:
        answer = await run(bob, node, id=1, long="x" * 300)
        assert answer["status"] == "FAILED"
        assert (answer["error"]["code"], answer["error"]["node_id"]) == (code, f"node_{node[0]}")

        short, kind, config = node
        tolerant = await run(bob, (short, kind, config | {"on_error": "continue"}), id=1, long="x" * 300)
        assert (tolerant["status"], tolerant["output"]) == ("COMPLETED", None)


async def test_a_flow_without_a_scope_is_told_so(bob: Caller, queue: TestQueue) -> None:
    answer = await run_chain(bob, consumes())

    assert answer["error"]["code"] == "SCAIQUEUE_SCOPE_NOT_FOUND"


async def test_an_unknown_method_is_told_with_those_there_are(bob: Caller) -> None:
    node = ("call", "tool_plugin", {"plugin": "scaiqueue", "method": "purge", "args": {}})
    answer = await run(bob, node)

    assert answer["error"]["code"] == "METHOD_NOT_FOUND"
    assert "publish, consume, escalate" in answer["error"]["message"]


async def test_a_flow_uses_the_queues_of_its_own_tenant(grid: RunningGrid, queue: TestQueue) -> None:
    dave = await grid.caller("usr_dave")
    assert (await run(dave, publishes(), id=1))["error"]["code"] == "SCAIQUEUE_SCOPE_NOT_FOUND"
    await a_queue(dave)
    assert (await run(dave, publishes(), id=1))["status"] == "COMPLETED"

    assert await queue.claim() == []


async def test_a_run_that_was_suspended_publishes_once(config: GridConfig) -> None:
    asks = ("ask", "checkpoint", {"prompt": "Go on?", "options": ["yes"]})
    async with running_grid(config) as first:
        bob = await first.caller("usr_bob")
        queue = await a_queue(bob)
        core_id = await bob.running(chain(publishes(), asks, config=TOPOLOGY))
        assert (await bob.invoke(core_id, input={"id": 1}))["status"] == "SUSPENDED"
    async with running_grid(config) as second:
        bob = await second.caller("usr_bob")
        (row,) = (await listed(bob, f"{SCAICORE}/checkpoints"))["checkpoints"]
        response = await bob(
            "POST", f"{SCAICORE}/checkpoints/{row['id']}/resolve", json={"resolution": "yes"}
        )
        assert response.status_code == 200, response.text
        assert len((await listed(bob, f"{queue.scope}/messages"))["items"]) == 1
