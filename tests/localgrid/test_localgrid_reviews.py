"""Reviews: a queue asks people, and what they complete the message with resolves the checkpoint."""

from typing import Any

import pytest
from localgrid_people import ended, manifest, read, resolve, suspended, waits
from localgrid_support import Caller, RunningGrid, error_of

from scaiflow_api.compiler import ir

SCAIQUEUE = "/scaigrid/v1/modules/scaiqueue"
FORM = (
    {"type": "context", "content": "Amount: {{ amount }}"},
    {"type": "decision", "field": "verdict", "options": ["yes", {"id": "no"}]},
)
SHOWN = [{"type": "context", "content": "Amount: 7"}, FORM[1]]


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


def review(**more: Any) -> str:
    target = ir.HitlTarget(scope="support", queue="review-{{ 'a' }}", hitl_spec={"sections": list(FORM)})
    kind = {"checkpoint_type": "hitl_review", "sections": FORM, "hitl_target": target, "timeout": "1d"}
    return manifest(waits(**{**kind, **more}))


async def queue(bob: Caller) -> str:
    """Make the queue; return where its scope is."""
    scope = await bob("POST", f"{SCAIQUEUE}/scopes", json={"slug": "support"})
    path = f"{SCAIQUEUE}/scopes/{scope.json()['data']['id']}"
    made = await bob("POST", f"{path}/queues", json={"slug": "review-a"})
    assert made.status_code == 201, made.text
    return path


async def claimed(bob: Caller, scope: str) -> list[dict[str, Any]]:
    queues = (await bob("GET", f"{scope}/queues")).json()["data"]["items"]
    (queue_id,) = (row["id"] for row in queues if row["slug"] == "review-a")
    response = await bob("POST", f"{scope}/queues/{queue_id}/claim", json={})
    found: list[dict[str, Any]] = response.json()["data"]
    return found


async def complete(bob: Caller, scope: str, message: dict[str, Any], result: Any) -> Any:
    return await bob("POST", f"{scope}/messages/{message['id']}/complete", json={"result": result})


async def test_a_review_is_asked_by_its_queue_and_answered_there(bob: Caller) -> None:
    scope = await queue(bob)
    core_id, row = await suspended(bob, review(assignee="group:{{ 'grp_' + 'eng' }}", priority="high"))
    (message,) = await claimed(bob, scope)
    wrong = [await complete(bob, scope, message, result) for result in ("approve", None, 7, ["yes"])]
    done = await complete(bob, scope, message, "no")
    run = await ended(bob, row["execution_id"])
    events = (await bob.events(core_id=core_id))["events"]

    assert row["context"] == {
        "node_id": "node_ok",
        "sections": SHOWN,
        "hitl_target": {
            "scope": "support",
            "queue": "review-a",
            "hitl_spec": {"sections": SHOWN, "timeout_s": 86_400},
        },
        "message_id": message["id"],
    }
    assert row["assignee_resolved"] == {"type": "group", "value": "grp_eng"}
    assert (message["message_type"], message["correlation_id"]) == ("hitl_request", row["id"])
    assert (message["source_type"], message["source_id"]) == ("core", core_id)
    assert message["hitl_spec"] == row["context"]["hitl_target"]["hitl_spec"]
    assert (message["priority_tier"], message["body"]["checkpoint_id"]) == ("high", row["id"])
    assert [(r.status_code, error_of(r)["details"][0]["field"]) for r in wrong] == [(422, "result")] * 4
    assert done.status_code == 200, done.text
    assert (run["status"], run["output"]) == ("COMPLETED", {"verdict": "no"})
    assert (await read(bob, row["id"]))["resolved_by"] == "usr_bob"
    told = [event["type"] for event in events]
    assert told.index("scaiqueue.message.completed") + 1 == told.index("scaicore.checkpoint_resolved")


async def test_a_request_goes_when_its_checkpoint_ends_otherwise(bob: Caller) -> None:
    scope = await queue(bob)
    _, row = await suspended(bob, review())
    await resolve(bob, row, {"verdict": "yes", "note": "by phone"})

    assert await claimed(bob, scope) == []
    assert (await ended(bob, row["execution_id"]))["output"] == {"verdict": "yes", "note": "by phone"}


async def test_who_comes_late_with_a_claimed_request_changes_nothing(bob: Caller) -> None:
    scope = await queue(bob)
    _, row = await suspended(bob, review())
    (message,) = await claimed(bob, scope)
    await resolve(bob, row, "yes")
    late = await complete(bob, scope, message, "no")

    assert late.status_code == 200
    assert (await read(bob, row["id"]))["resolution"] == {"verdict": "yes"}


async def test_without_its_queue_a_review_waits_all_the_same(bob: Caller) -> None:
    _, row = await suspended(bob, review())
    wrong = await resolve(bob, row, "approve")
    resolved = await resolve(bob, row, "no")

    assert row["context"]["routing_error"].startswith("SCAIQUEUE_SCOPE_NOT_FOUND")
    assert (wrong.status_code, "yes, no" in error_of(wrong)["message"]) == (422, True)
    assert resolved.json()["data"]["resolution"] == {"verdict": "no"}


async def test_a_review_without_a_scope_is_routed_nowhere(bob: Caller) -> None:
    target = ir.HitlTarget(scope=None, queue="review-a", hitl_spec={"sections": []})
    _, row = await suspended(bob, review(hitl_target=target))

    assert row["context"]["routing_error"] == "SCAIQUEUE_SCOPE_NOT_FOUND: The review names no scope."
