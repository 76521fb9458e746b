"""ScaiQueue: messages from their publication to their end."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from localgrid_queues import TestQueue, a_queue, listed
from localgrid_support import Caller, RunningGrid, error_of, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaiqueue import post


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


@pytest.fixture
async def queue(bob: Caller) -> TestQueue:
    return await a_queue(bob, max_retries=2)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, error_of(response)["code"]


async def test_a_message_is_published_claimed_and_completed(queue: TestQueue) -> None:
    published = await queue.publish({"order": 7}, message_type="order.new", labels={"tier": "premium"})

    assert published["state"] == "pending"
    assert (published["source_type"], published["source_id"]) == ("user", "usr_bob")
    assert (published["priority_tier"], published["priority_score"]) == ("normal", 500)
    assert published["content_type"] == "application/json"
    (claimed,) = await queue.claim()
    assert claimed["id"] == published["id"]
    assert (claimed["state"], claimed["attempts"], claimed["body"]) == ("claimed", 1, {"order": 7})
    assert claimed["labels"] == {"tier": "premium"}
    assert claimed["claimed_by_id"] == "usr_bob"
    assert claimed["visible_at"] == "2026-04-29T12:35:26.000Z"
    assert await queue.claim() == []
    response = await queue.end("complete", claimed, result={"decision": "approve"})
    done = response.json()["data"]
    assert (done["state"], done["result"]) == ("completed", {"decision": "approve"})
    assert done["completed_at"] == "2026-04-29T12:34:56.000Z"
    assert await queue.read(published) == done


async def test_a_queue_tells_how_many_messages_are_pending_and_claimed(queue: TestQueue) -> None:
    for number in range(3):
        await queue.publish(number)
    await queue.claim()

    row = await queue.row()
    assert (row["depth_pending"], row["depth_claimed"]) == (2, 1)


async def test_a_claim_runs_out_and_the_message_is_pending_again(grid: RunningGrid, queue: TestQueue) -> None:
    await queue.publish()
    (first,) = await queue.claim()
    grid.clock.forward(29.9)
    assert await queue.claim() == []
    grid.clock.forward(0.1)

    assert (await queue.read(first))["state"] == "pending"
    assert code(await queue.end("complete", first)) == (409, "SCAIQUEUE_MESSAGE_NOT_CLAIMED")
    (second,) = await queue.claim()
    assert (second["id"], second["attempts"]) == (first["id"], 2)


async def test_an_extended_claim_holds_longer(grid: RunningGrid, queue: TestQueue) -> None:
    await queue.publish()
    (claimed,) = await queue.claim()
    grid.clock.forward(20)
    assert (await queue.end("extend", claimed)).json()["data"]["visible_at"] == "2026-04-29T12:35:46.000Z"
    grid.clock.forward(29)
    assert await queue.claim() == []
    assert (await queue.end("extend", claimed, visibility_timeout_s=100)).status_code == 200
    grid.clock.forward(99)
    assert (await queue.end("complete", claimed)).status_code == 200


async def test_a_released_message_is_free_at_once(queue: TestQueue) -> None:
    await queue.publish()
    (claimed,) = await queue.claim()
    released = (await queue.end("release", claimed)).json()["data"]

    assert (released["state"], released["claimed_by_id"]) == ("pending", None)
    assert len(await queue.claim()) == 1


async def test_what_fails_comes_back_later_and_then_lies_among_the_dead(
    grid: RunningGrid, bob: Caller, queue: TestQueue
) -> None:
    await queue.publish("poison")
    (first,) = await queue.claim()
    failed = (await queue.end("fail", first, reason="no such order")).json()["data"]
    assert (failed["state"], failed["failure_reason"]) == ("pending", "no such order")
    assert await queue.claim() == []
    grid.clock.forward(1)
    (second,) = await queue.claim()
    dead = (await queue.end("fail", second)).json()["data"]

    assert (dead["state"], dead["attempts"], dead["dead_lettered_from"]) == ("dead_lettered", 2, queue.queue)
    system = (await listed(bob, f"{queue.scope}/queues", limit=1))["items"][0]
    assert (system["slug"], dead["queue_id"]) == ("_dead_letter", system["id"])
    letters = await listed(bob, f"{queue.scope}/queues/{system['id']}/messages")
    assert [letter["body"] for letter in letters["items"]] == ["poison"]
    grid.clock.forward(1000)
    assert await TestQueue(bob, queue.scope, system["id"]).claim() == []
    assert await queue.claim() == []


async def test_waits_between_attempts_grow(grid: RunningGrid, bob: Caller) -> None:
    queue = await a_queue(bob, max_retries=100)
    await queue.publish()
    waits = []
    for _ in range(11):
        (claimed,) = await queue.claim()
        failed = (await queue.end("fail", claimed)).json()["data"]
        due = datetime.fromisoformat(failed["visible_at"])
        waits.append((due - grid.clock.moment).total_seconds())
        grid.clock.moment = due

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@pytest.mark.parametrize(
    ("mode", "order"),
    [("fifo", ["low", "late", "urgent", "soon"]), ("priority", ["urgent", "late", "soon", "low"])],
)
async def test_a_queue_has_its_order(bob: Caller, mode: str, order: list[str]) -> None:
    queue = await a_queue(bob, consumer_mode=mode)
    await queue.publish("low", priority_tier="background")
    await queue.publish("late", deadline="2026-05-02T00:00:00Z")
    await queue.publish("urgent", priority_tier="low", priority_score=999)
    await queue.publish("soon", deadline="2026-05-01T02:00:00+02:00")

    assert await queue.bodies() == order


async def test_a_deadline_queue_gives_the_nearest_deadline_first(bob: Caller) -> None:
    queue = await a_queue(bob, consumer_mode="deadline")
    await queue.publish("whenever")
    await queue.publish("late", deadline="2026-05-02T00:00:00Z")
    await queue.publish("soon", deadline="2026-05-01T02:00:00+02:00")

    assert await queue.bodies() == ["soon", "late", "whenever"]


async def test_a_key_publishes_once(queue: TestQueue, bob: Caller) -> None:
    path = f"{queue.scope}/queues/{queue.queue}/messages"
    first = await queue.publish({"a": 1}, idempotency_key="k")
    again = await bob("POST", path, json={"message_type": "t", "body": {"a": 1.0}, "idempotency_key": "k"})
    other = await bob("POST", path, json={"message_type": "t", "body": {"a": 2}, "idempotency_key": "k"})

    assert (again.status_code, again.json()["data"]["id"]) == (200, first["id"])
    assert code(other) == (409, "SCAIQUEUE_IDEMPOTENCY_CONFLICT")
    assert len(await queue.bodies()) == 1
    assert (await queue.publish("no key"))["id"] != (await queue.publish("no key"))["id"]


async def test_a_key_is_remembered_when_the_message_is_done_or_dead(grid: RunningGrid, bob: Caller) -> None:
    queue = await a_queue(bob, max_retries=0)
    await queue.publish("x", idempotency_key="k")
    (claimed,) = await queue.claim()
    await queue.end("fail", claimed)
    again = await bob(
        "POST",
        f"{queue.scope}/queues/{queue.queue}/messages",
        json={"message_type": "t", "body": "x", "idempotency_key": "k"},
    )

    assert (again.status_code, again.json()["data"]["state"]) == (200, "dead_lettered")


async def test_nobody_gets_what_has_expired_or_is_delayed(grid: RunningGrid, queue: TestQueue) -> None:
    short = await queue.publish("short", ttl_seconds=10)
    await queue.publish("later", delay_until="2026-04-29T12:35:26Z")
    grid.clock.forward(10)
    assert await queue.bodies() == []
    assert (await queue.read(short))["state"] == "expired"
    grid.clock.forward(20)

    assert await queue.bodies() == ["later"]


async def test_what_was_claimed_in_time_does_not_expire_in_somebodys_hands(
    grid: RunningGrid, queue: TestQueue
) -> None:
    await queue.publish(ttl_seconds=10)
    (claimed,) = await queue.claim()
    grid.clock.forward(20)

    assert (await queue.end("complete", claimed)).json()["data"]["state"] == "completed"


async def test_a_full_queue_refuses(bob: Caller) -> None:
    queue = await a_queue(bob, max_depth=2)
    path = f"{queue.scope}/queues/{queue.queue}/messages"
    for body in ("claimed", "pending"):
        await queue.publish(body)
    (claimed,) = await queue.claim()
    assert code(await bob("POST", path, json={"message_type": "t", "body": 3})) == (
        409,
        "SCAIQUEUE_QUEUE_FULL",
    )
    await queue.end("complete", claimed)

    await queue.publish("there is room")


async def test_what_is_paused_takes_nothing_and_gives_nothing(bob: Caller, queue: TestQueue) -> None:
    own = f"{queue.scope}/queues/{queue.queue}"
    message = {"message_type": "t", "body": 1}
    await queue.publish("waiting")

    async def states(path: str, *verbs: str) -> list[Any]:
        for verb in verbs:
            assert (await bob("POST", f"{path}/{verb}")).status_code == 200
        refusal = await bob("POST", f"{own}/messages", json=message)
        claimed = await queue.claim()
        for held in claimed:
            await queue.end("release", held)
        return [error_of(refusal)["code"], len(claimed)]

    assert await states(own, "pause") == ["SCAIQUEUE_QUEUE_PAUSED", 0]
    assert await states(own, "drain") == ["SCAIQUEUE_QUEUE_PAUSED", 1]
    assert await states(own, "archive") == ["SCAIQUEUE_QUEUE_PAUSED", 0]
    assert await states(queue.scope, "pause") == ["SCAIQUEUE_SCOPE_PAUSED", 0]
    for path, verb in ((own, "unarchive"), (own, "resume"), (queue.scope, "resume")):
        await bob("POST", f"{path}/{verb}")
    assert await queue.bodies() == ["waiting"]


async def test_each_consumer_of_a_broadcast_gets_each_message_once(grid: RunningGrid, bob: Caller) -> None:
    alice = await grid.caller("usr_alice")
    queue = await a_queue(bob, consumer_mode="broadcast", max_retries=2)
    for body in ("a", "b"):
        await queue.publish(body)
    first, second = await queue.claim(5)
    assert await queue.bodies(caller=alice) == ["a", "b"]
    assert await queue.claim() == []

    assert (await queue.end("complete", first)).json()["data"]["state"] == "completed"
    assert code(await queue.end("complete", first)) == (409, "SCAIQUEUE_MESSAGE_NOT_CLAIMED")
    assert (await queue.end("complete", first, alice)).status_code == 200
    assert (await queue.read(first))["state"] == "pending"
    await queue.end("fail", second)
    grid.clock.forward(1)
    assert await queue.bodies() == ["b"]
    grid.clock.forward(30)
    assert await queue.bodies(caller=alice) == ["b"]
    (again,) = await queue.claim()
    assert again["attempts"] == 3
    assert (await queue.end("fail", again)).json()["data"]["state"] == "dead_lettered"
    grid.clock.forward(1000)
    assert await queue.claim() == []


async def test_two_consumers_never_get_the_same_message(grid: RunningGrid, queue: TestQueue) -> None:
    alice = await grid.caller("usr_alice")
    for number in range(10):
        await queue.publish(number)
    claims = await asyncio.gather(*(queue.bodies(2, caller) for caller in (alice, queue.caller) * 4))

    assert sorted(body for claim in claims for body in claim) == list(range(10))


async def test_only_the_claimer_or_a_manager_ends_a_claim(grid: RunningGrid, queue: TestQueue) -> None:
    alice, svc = await grid.caller("usr_alice"), Caller(grid.http, "sgk_local_development")
    await queue.publish()
    (claimed,) = await queue.claim(caller=svc)

    response = await queue.end("complete", claimed, await grid.caller("usr_carol"))
    assert code(response) == (403, "AUTHZ_PERMISSION_DENIED")
    assert (await queue.end("complete", claimed, alice)).status_code == 200


async def test_lists_take_filters_and_pages(bob: Caller, queue: TestQueue) -> None:
    for number in range(5):
        await queue.publish(number, correlation_id="even" if number % 2 == 0 else "odd")
    await queue.claim(2)
    of_queue = f"{queue.scope}/queues/{queue.queue}/messages"

    async def bodies(path: str, **params: Any) -> list[Any]:
        return [row["body"] for row in (await listed(bob, path, **params))["items"]]

    assert await bodies(f"{queue.scope}/messages", correlation_id="even") == [0, 2, 4]
    assert await bodies(f"{queue.scope}/messages", correlation_id="even", state="claimed") == [0]
    assert await bodies(of_queue, state="pending") == [2, 3, 4]
    page = await listed(bob, of_queue, limit=3)
    assert [row["body"] for row in page["items"]] == [0, 1, 2]
    assert await bodies(of_queue, limit=3, cursor=page["next_cursor"]) == [3, 4]
    assert (await bob("GET", of_queue, params={"state": "lost"})).status_code == 422


async def test_messages_are_their_tenants_alone(grid: RunningGrid, queue: TestQueue) -> None:
    dave = await grid.caller("usr_dave")
    message = await queue.publish()
    own = f"{queue.scope}/queues/{queue.queue}"

    for method, path in (
        ("GET", f"{own}/messages"),
        ("POST", f"{own}/messages"),
        ("POST", f"{own}/claim"),
        ("GET", f"{queue.scope}/messages/{message['id']}"),
        ("POST", f"{queue.scope}/messages/{message['id']}/complete"),
    ):
        response = await dave(method, path, json={"message_type": "t", "body": 1})
        assert code(response) == (404, "SCAIQUEUE_SCOPE_NOT_FOUND")
    theirs = await a_queue(dave)
    response = await dave("POST", f"{theirs.scope}/messages/{message['id']}/complete")
    assert code(response) == (404, "SCAIQUEUE_MESSAGE_NOT_FOUND")


UNFIT: list[Any] = [
    {},
    {"message_type": "t"},
    {"message_type": "", "body": 1},
    {"message_type": "t", "body": 1, "priority_tier": "urgent"},
    {"message_type": "t", "body": 1, "priority_score": 1001},
    {"message_type": "t", "body": 1, "ttl_seconds": 0},
    {"message_type": "t", "body": 1, "labels": {"a": 1}},
    {"message_type": "t", "body": 1, "deadline": "2026-05-01T00:00:00"},
    {"message_type": "t", "body": 1, "deadline": "soon"},
    {"message_type": "t", "body": 1, "deadline": "0001-01-01T00:00:00+14:00"},
    {"message_type": "t", "body": 1, "delay_until": "9999-12-31T23:59:59-14:00"},
]


async def test_what_is_no_message_is_refused(bob: Caller, queue: TestQueue) -> None:
    for body in UNFIT:
        response = await bob("POST", f"{queue.scope}/queues/{queue.queue}/messages", json=body)
        assert code(response) == (422, "VALIDATION_ERROR"), body


async def test_a_message_has_a_largest_size(bob: Caller, queue: TestQueue) -> None:
    path = f"{queue.scope}/queues/{queue.queue}/messages"
    response = await bob("POST", path, json={"message_type": "t", "body": "x" * 262_144})

    assert code(response) == (413, "PAYLOAD_TOO_LARGE")
    deep = f'{{"message_type": "t", "body": {"[" * 300}{"]" * 300}}}'
    assert code(await bob("POST", path, content=deep)) == (422, "VALIDATION_ERROR")
    assert await queue.claim() == []
    await queue.publish()
    (claimed,) = await queue.claim()
    response = await queue.end("complete", claimed, result="x" * 262_144)
    assert code(response) == (413, "PAYLOAD_TOO_LARGE")
    assert (await queue.read(claimed))["state"] == "claimed"


async def test_messages_and_claims_survive_a_restart(config: GridConfig) -> None:
    async with running_grid(config) as first:
        queue = await a_queue(await first.caller("usr_bob"))
        for body in ("claimed", "pending"):
            await queue.publish(body)
        (claimed,) = await queue.claim()
    async with running_grid(config) as second:
        queue = TestQueue(await second.caller("usr_bob"), queue.scope, queue.queue)
        assert await queue.bodies() == ["pending"]
        assert (await queue.end("complete", claimed)).status_code == 200


async def test_a_start_drops_old_messages_that_have_ended(
    config: GridConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "KEPT_MESSAGES", 2)
    async with running_grid(config) as first:
        queue = await a_queue(await first.caller("usr_bob"))
        for body in range(5):
            await queue.publish(body)
        for message in await queue.claim(4):
            if message["body"] != 1:
                await queue.end("complete", message)
    async with running_grid(config) as second:
        left = await listed(await second.caller("usr_bob"), f"{queue.scope}/messages")
        assert [message["body"] for message in left["items"]] == [1, 3, 4]
