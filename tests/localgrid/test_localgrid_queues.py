"""ScaiQueue: scopes and the queues in them."""

import asyncio
from typing import Any

import pytest
from localgrid_queues import SCOPES, listed, make
from localgrid_support import Caller, RunningGrid, error_of, running_grid

from scaiflow_api.localgrid import GridConfig

OF_THE_SYSTEM = ["_dead_letter", "_events", "_audit", "_integrity", "_corrections"]


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


async def test_a_scope_begins_with_the_queues_of_the_system(bob: Caller) -> None:
    scope = await make(bob, SCOPES, slug="support", description="Tickets")

    assert scope["id"].startswith("sc_")
    assert scope == {
        "id": scope["id"],
        "slug": "support",
        "display_name": "support",
        "description": "Tickets",
        "state": "active",
        "created_at": "2026-04-29T12:34:56.000Z",
        "updated_at": "2026-04-29T12:34:56.000Z",
    }
    assert (await bob("GET", f"{SCOPES}/{scope['id']}")).json()["data"] == scope
    found = (await listed(bob, f"{SCOPES}/{scope['id']}/queues"))["items"]
    assert [queue["slug"] for queue in found] == OF_THE_SYSTEM
    assert all(queue["system"] for queue in found)


async def test_a_queue_has_defaults(bob: Caller) -> None:
    scope = await make(bob, SCOPES, slug="support")
    queue = await make(bob, f"{SCOPES}/{scope['id']}/queues", slug="review", display_name="Review queue")

    assert queue["id"].startswith("q_")
    assert queue == {
        "id": queue["id"],
        "scope_id": scope["id"],
        "slug": "review",
        "display_name": "Review queue",
        "description": None,
        "consumer_mode": "fifo",
        "max_retries": 5,
        "visibility_timeout_s": 30,
        "max_depth": None,
        "overflow_policy": "reject",
        "system": False,
        "state": "active",
        "created_at": "2026-04-29T12:34:56.000Z",
        "updated_at": "2026-04-29T12:34:56.000Z",
        "depth_pending": 0,
        "depth_claimed": 0,
    }
    assert (await bob("GET", f"{SCOPES}/{scope['id']}/queues/{queue['id']}")).json()["data"] == queue


async def test_both_ways_to_name_a_mode_are_understood(bob: Caller) -> None:
    scope = await make(bob, SCOPES, slug="support")
    asked = [
        ({"ordering": "fifo"}, "fifo"),
        ({"ordering": "deadline", "consumer_mode": "competing"}, "deadline"),
        ({"ordering": "fifo", "consumer_mode": "broadcast"}, "broadcast"),
        ({"consumer_mode": "priority"}, "priority"),
        ({"consumer_mode": "priority", "ordering": "priority"}, "priority"),
        ({"consumer_mode": "competing"}, "fifo"),
    ]

    for number, (words, mode) in enumerate(asked):
        queue = await make(bob, f"{SCOPES}/{scope['id']}/queues", slug=f"q{number}", **words)
        assert queue["consumer_mode"] == mode, words


UNFIT: list[Any] = [
    {},
    {"slug": "Upper"},
    {"slug": "_mine"},
    {"slug": "x" * 64},
    {"slug": 1},
    {"slug": "a", "max_retries": 101},
    {"slug": "a", "max_retries": True},
    {"slug": "a", "visibility_timeout_s": 0},
    {"slug": "a", "consumer_mode": "lifo"},
    {"slug": "a", "consumer_mode": "priority", "ordering": "fifo"},
    {"slug": "a", "max_depth": 0},
    {"slug": "a", "max_depth": 2**63},
    {"slug": "a", "overflow_policy": "drop"},
    [],
]


async def test_a_queue_that_cannot_be_is_refused(bob: Caller) -> None:
    scope = await make(bob, SCOPES, slug="support")

    for body in UNFIT:
        response = await bob("POST", f"{SCOPES}/{scope['id']}/queues", json=body)
        assert response.status_code == 422, body
        error = error_of(response)
        assert error["code"] == "VALIDATION_ERROR"
        assert error["details"]


async def test_lists_are_paged_in_order_of_creation(bob: Caller) -> None:
    made = [(await make(bob, SCOPES, slug=f"scope-{number}"))["id"] for number in range(5)]

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await listed(bob, SCOPES, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [scope["id"] for scope in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made
    queues = await listed(bob, f"{SCOPES}/{made[0]}/queues", limit=4)
    rest = await listed(bob, f"{SCOPES}/{made[0]}/queues", limit=4, cursor=queues["next_cursor"])
    assert [queue["slug"] for queue in queues["items"] + rest["items"]] == OF_THE_SYSTEM
    assert rest["next_cursor"] is None
    assert (await bob("GET", SCOPES, params={"cursor": "x"})).status_code == 422
    assert (await bob("GET", SCOPES, params={"limit": 501})).status_code == 422


async def test_of_two_who_make_the_same_one_gets_a_conflict(bob: Caller) -> None:
    both = await asyncio.gather(*(bob("POST", SCOPES, json={"slug": "support"}) for _ in range(2)))
    assert sorted(response.status_code for response in both) == [201, 409]
    lost = next(response for response in both if response.status_code == 409)
    assert error_of(lost)["code"] == "SLUG_CONFLICT"
    assert "data" not in lost.json()

    (scope,) = (await listed(bob, SCOPES))["items"]
    queues = f"{SCOPES}/{scope['id']}/queues"
    both = await asyncio.gather(*(bob("POST", queues, json={"slug": "review"}) for _ in range(2)))
    assert sorted(response.status_code for response in both) == [201, 409]
    assert error_of(max(both, key=lambda r: r.status_code))["code"] == "SLUG_CONFLICT"
    assert [queue["slug"] for queue in (await listed(bob, queues))["items"]] == [*OF_THE_SYSTEM, "review"]


async def test_tenants_do_not_see_one_another(grid: RunningGrid, bob: Caller) -> None:
    dave = await grid.caller("usr_dave")
    scope = await make(bob, SCOPES, slug="support")
    queue = await make(bob, f"{SCOPES}/{scope['id']}/queues", slug="review")
    await make(dave, SCOPES, slug="support")  # the slug is free in another tenant
    path = f"{SCOPES}/{scope['id']}"

    assert [row["id"] for row in (await listed(bob, SCOPES))["items"]] == [scope["id"]]
    for method, foreign in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/pause"),
        ("GET", f"{path}/queues"),
        ("GET", f"{path}/queues/{queue['id']}"),
        ("DELETE", f"{path}/queues/{queue['id']}"),
        ("POST", f"{path}/queues/{queue['id']}/pause"),
    ):
        response = await dave(method, foreign)
        assert response.status_code == 404
        assert error_of(response)["code"] == "SCAIQUEUE_SCOPE_NOT_FOUND"
    response = await dave("POST", f"{path}/queues", json={"slug": "mine"})
    assert response.status_code == 404


async def test_a_queue_of_another_scope_is_not_there(bob: Caller) -> None:
    first, second = [await make(bob, SCOPES, slug=slug) for slug in ("first", "second")]
    queue = await make(bob, f"{SCOPES}/{first['id']}/queues", slug="review")
    response = await bob("GET", f"{SCOPES}/{second['id']}/queues/{queue['id']}")

    assert (response.status_code, error_of(response)["code"]) == (404, "SCAIQUEUE_QUEUE_NOT_FOUND")


async def test_looking_and_managing_need_their_permissions(grid: RunningGrid, bob: Caller) -> None:
    carol = await grid.caller("usr_carol")
    scope = await make(bob, SCOPES, slug="support")

    assert (await carol("GET", SCOPES)).status_code == 200
    for method, path in (
        ("POST", SCOPES),
        ("DELETE", f"{SCOPES}/{scope['id']}"),
        ("POST", f"{SCOPES}/{scope['id']}/queues"),
        ("POST", f"{SCOPES}/{scope['id']}/archive"),
    ):
        response = await carol(method, path, json={"slug": "x"})
        assert response.status_code == 403
        assert error_of(response) == {
            "code": "AUTHZ_PERMISSION_DENIED",
            "message": "permission_denied: need scaiqueue:manage",
        }
    assert (await grid.http.get(SCOPES)).status_code == 401


async def test_states_lead_where_they_may(bob: Caller) -> None:
    scope = await make(bob, SCOPES, slug="support")
    queue = await make(bob, f"{SCOPES}/{scope['id']}/queues", slug="review")

    async def walk(path: str, *verbs: str) -> list[str]:
        answers = [(await bob("POST", f"{path}/{verb}")).json() for verb in verbs]
        return [a["data"]["state"] if a["status"] == "ok" else a["error"]["code"] for a in answers]

    refused = "SCAIQUEUE_STATE_CONFLICT"
    assert await walk(f"{SCOPES}/{scope['id']}", "pause", "archive", "resume", "unarchive", "resume") == [
        *("paused", "archived", refused, "paused", "active")
    ]
    path = f"{SCOPES}/{scope['id']}/queues"
    assert await walk(f"{path}/{queue['id']}", "drain", "drain", "resume", "resume") == [
        *("draining", refused, "active", refused)
    ]
    assert await walk(f"{path}/{queue['id']}", "dance") == ["VALIDATION_ERROR"]
    system = (await listed(bob, path))["items"][0]
    assert await walk(f"{path}/{system['id']}", "pause") == [refused]
    assert (await bob("DELETE", f"{path}/{system['id']}")).status_code == 409


async def test_what_is_deleted_is_gone_and_its_slug_is_free(bob: Caller) -> None:
    scope = await make(bob, SCOPES, slug="support")
    path = f"{SCOPES}/{scope['id']}/queues"
    queue = await make(bob, path, slug="review")

    assert (await bob("DELETE", f"{path}/{queue['id']}")).status_code == 204
    assert (await bob("DELETE", f"{path}/{queue['id']}")).status_code == 404
    await make(bob, path, slug="review")
    assert (await bob("DELETE", f"{SCOPES}/{scope['id']}")).status_code == 204
    assert (await bob("GET", path)).status_code == 404
    await make(bob, SCOPES, slug="support")


async def test_scopes_and_queues_survive_a_restart(config: GridConfig) -> None:
    async with running_grid(config) as first:
        bob = await first.caller("usr_bob")
        scope = await make(bob, SCOPES, slug="support")
        queue = await make(bob, f"{SCOPES}/{scope['id']}/queues", slug="review", consumer_mode="priority")
    async with running_grid(config) as second:
        bob = await second.caller("usr_bob")
        assert (await bob("GET", f"{SCOPES}/{scope['id']}/queues/{queue['id']}")).json()["data"] == queue


async def test_faults_befall_scaiqueue_too(grid: RunningGrid, bob: Caller) -> None:
    await grid.http.put("/_faults", json={"prefix": SCOPES, "method": "POST", "status": 503, "times": 1})

    assert (await bob("POST", SCOPES, json={"slug": "support"})).status_code == 503
    assert (await bob("POST", SCOPES, json={"slug": "support"})).status_code == 201
