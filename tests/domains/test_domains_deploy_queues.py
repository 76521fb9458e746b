"""The queues that a flow declares: found, or made, before its Core is."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
from domains_deploys import MOST_QUEUES, QUIETLY, Keep
from played_grid import Fault, PlayedGrid, refusal

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.deploy.service import DeployFlow
from scaiflow_api.kit.errors import AppError

TOPOLOGY = {
    "scope": "support",
    "queues": [
        {"slug": "review", "display_name": "Review", "description": "For people", "purpose": "review"},
        {"slug": "urgent", "consumer_mode": "priority", "max_retries": 3},
        {"slug": "news", "consumer_mode": "broadcast"},
    ],
}
CREATES = ["create_scope", "create_queue", "create_queue", "create_queue"]
CORE = ["create", "start", "get"]


@pytest.fixture
def keep_with(keep: Keep, echo: dict[str, Any]) -> Callable[[Any], Awaitable[Flow]]:
    async def make(topology: Any) -> Flow:
        return await keep({**echo, "config": {**echo["config"], "scaiqueue": topology}})

    return make


KeepWith = Callable[[Any], Awaitable[Flow]]


def sent(grid: PlayedGrid, step: str) -> list[Any]:
    pairs = zip(grid.steps, grid.requests, strict=True)
    return [orjson.loads(request.content) for taken, request in pairs if taken == step]


async def test_what_is_missing_is_made_and_told(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller
) -> None:
    flow = await keep_with(TOPOLOGY)

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["scopes", *CREATES, *CORE]
    assert answer.scaiqueue_provisioning is not None
    assert answer.scaiqueue_provisioning.model_dump() == {
        "scope_id": "sc_1",
        "scope_slug": "support",
        "queue_ids": {"review": "q_2", "urgent": "q_3", "news": "q_4"},
        "differences": [],
    }
    assert sent(grid, "create_scope") == [{"slug": "support", "display_name": "support"}]
    assert [
        (made["slug"], made["ordering"], made["consumer_mode"], made["max_retries"])
        for made in sent(grid, "create_queue")
    ] == [
        ("review", "fifo", "competing", 5),
        ("urgent", "priority", "competing", 3),
        ("news", "fifo", "broadcast", 5),
    ]
    assert {request.headers["Authorization"] for request in grid.requests} == {"Bearer tok-bob"}


async def test_what_is_there_is_used_as_it_is(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller
) -> None:
    flow = await keep_with(TOPOLOGY)
    scope = grid.queues.add_scope("support")["id"]
    grid.queues.add_queue(scope, "review", ordering="deadline", max_retries=9)
    grid.queues.add_queue(scope, "urgent", ordering="priority")
    grid.queues.add_queue("sc_other", "news")

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["scopes", "queues", "create_queue", *CORE]
    assert answer.scaiqueue_provisioning is not None
    assert answer.scaiqueue_provisioning.queue_ids == {"review": "q_2", "urgent": "q_3", "news": "q_5"}
    assert [difference.model_dump() for difference in answer.scaiqueue_provisioning.differences] == [
        {"queue": "review", "field": "consumer_mode", "wanted": "fifo", "found": "deadline"},
        {"queue": "review", "field": "max_retries", "wanted": 5, "found": 9},
    ]


async def test_deploying_again_makes_no_queue(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller
) -> None:
    flow = await keep_with(TOPOLOGY)
    first = await deploys.deploy(bob, flow.id, QUIETLY)
    grid.steps.clear()

    second = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["scopes", "queues", "replace"]
    assert second.scaiqueue_provisioning == first.scaiqueue_provisioning


@pytest.mark.parametrize(
    ("topology", "steps"),
    [
        ({"scope": "support"}, ["scopes", "create_scope", *CORE]),
        ({"scope": "support", "queues": []}, ["scopes", "create_scope", *CORE]),
        ({}, CORE),
        ({"queues": []}, CORE),
    ],
)
async def test_a_topology_without_queues(
    deploys: DeployFlow,
    grid: PlayedGrid,
    keep_with: KeepWith,
    bob: Caller,
    topology: dict[str, Any],
    steps: list[str],
) -> None:
    answer = await deploys.deploy(bob, (await keep_with(topology)).id, QUIETLY)

    assert grid.steps == steps
    assert (answer.scaiqueue_provisioning is None) == ("scope" not in topology)


def made_by_another(grid: PlayedGrid, scope: bool, **row: Any) -> Fault:
    """Meanwhile somebody else makes what is to be made."""

    async def overtake(request: httpx.Request) -> None:
        if scope:
            grid.queues.add_scope("support")
        else:
            grid.queues.add_queue(request.url.path.split("/")[-2], "review", **row)

    return overtake


async def test_a_race_for_the_scope_and_for_a_queue_is_no_failure(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller
) -> None:
    flow = await keep_with(TOPOLOGY)
    grid.faults["create_scope"] = [made_by_another(grid, scope=True)]
    grid.faults["create_queue"] = [made_by_another(grid, scope=False, ordering="fifo", max_retries=5)]

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps[:6] == ["scopes", "create_scope", "scopes", "queues", "create_queue", "queues"]
    assert answer.scaiqueue_provisioning is not None
    assert answer.scaiqueue_provisioning.scope_id == "sc_1"
    assert answer.scaiqueue_provisioning.queue_ids["review"] == "q_2"


async def test_a_race_with_somebody_who_wants_another_queue_is_one(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller
) -> None:
    flow = await keep_with(TOPOLOGY)
    grid.faults["create_queue"] = [made_by_another(grid, scope=False, ordering="priority")]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    detail = caught.value.detail()
    assert (detail["error"], detail["scope"], detail["queue"]) == (
        "scaiqueue_provision_failed",
        "support",
        "review",
    )
    assert "with consumer_mode 'priority' instead of 'fifo'" in detail["message"]


@pytest.mark.parametrize("step", ["create_scope", "create_queue"])
async def test_a_slug_that_is_taken_by_nobody_that_we_see_is_a_failure(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller, step: str
) -> None:
    flow = await keep_with(TOPOLOGY)
    grid.faults[step] = [refusal(409, "SLUG_CONFLICT", "taken")]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    detail = caught.value.detail()
    assert (detail["error"], detail["status"], detail["code"], detail["message"]) == (
        "scaiqueue_provision_failed",
        409,
        "SLUG_CONFLICT",
        "taken",
    )
    assert "create" not in grid.steps


AUTH = "permission_denied: need scaiqueue:manage"


@pytest.mark.parametrize(
    ("fault", "status", "error", "fix"),
    [
        (
            refusal(403, "AUTHZ_PERMISSION_DENIED", AUTH),
            502,
            "scaiqueue_auth",
            "Caller needs scaiqueue:manage to provision missing scopes/queues.",
        ),
        (
            refusal(401, "AUTH_TOKEN_INVALID"),
            502,
            "scaiqueue_auth",
            "ScaiQueue does not accept the credential: sign in again, or replace the API key.",
        ),
        (refusal(429, "RATE_LIMITED"), 429, "scaiqueue_busy", None),
        (refusal(422, "VALIDATION_ERROR", "no"), 502, "scaiqueue_provision_failed", None),
        (httpx.Response(500, html="<h1>oops</h1>"), 502, "scaiqueue_provision_failed", None),
        (httpx.Response(200, html="<h1>hello</h1>"), 502, "scaiqueue_provision_failed", None),
        (httpx.Response(201, json={"data": {}}), 502, "scaiqueue_provision_failed", None),
        (httpx.ReadError("cut"), 502, "scaiqueue_provision_failed", None),
        (httpx.ReadTimeout("slow"), 504, "scaiqueue_timeout", None),
    ],
)
@pytest.mark.parametrize(
    ("step", "before", "reached"),
    [
        ("create_scope", 0, None),
        ("create_queue", 0, {}),
        ("create_queue", 2, {"review": "q_2", "urgent": "q_3"}),
    ],
)
async def test_a_failure_has_its_own_error_and_tells_how_far_it_came(
    deploys: DeployFlow,
    grid: PlayedGrid,
    keep_with: KeepWith,
    bob: Caller,
    step: str,
    before: int,
    reached: dict[str, str] | None,
    fault: httpx.Response | Exception,
    status: int,
    error: str,
    fix: str | None,
) -> None:
    flow = await keep_with(TOPOLOGY)
    grid.faults[step] = [*[None] * before, fault]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    detail = caught.value.detail()
    assert (caught.value.status, detail["error"], detail.get("fix")) == (status, error, fix)
    assert (detail["reached"], detail["core_id"]) == ([], None)
    assert detail.get("scaiqueue_provisioning", {}).get("queue_ids") == reached
    if error == "scaiqueue_provision_failed":
        slug = None if step == "create_scope" else TOPOLOGY["queues"][before]["slug"]  # type: ignore[index]
        assert (detail["scope"], detail["queue"]) == ("support", slug)
    assert "create" not in grid.steps

    again = await deploys.deploy(bob, flow.id, QUIETLY)  # the next one gets through
    assert again.scaiqueue_provisioning is not None
    assert list(again.scaiqueue_provisioning.queue_ids) == ["review", "urgent", "news"]


@pytest.mark.parametrize("step", ["scopes", "queues"])
async def test_who_may_not_look_is_told_what_is_needed(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller, step: str
) -> None:
    flow = await keep_with(TOPOLOGY)
    grid.queues.add_scope("support")
    grid.faults[step] = [refusal(403, "AUTHZ_PERMISSION_DENIED", "permission_denied: need scaiqueue:view")]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    assert caught.value.error == "scaiqueue_auth"
    assert caught.value.detail()["message"] == "permission_denied: need scaiqueue:view"


async def test_a_later_failure_tells_of_the_queues_too(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller
) -> None:
    flow = await keep_with(TOPOLOGY)
    grid.faults["start"] = [refusal(422, "INVALID_SOURCE_IR")]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    detail = caught.value.detail()
    assert (detail["error"], detail["reached"], detail["core_id"]) == (
        "scaicore_start_failed",
        ["queues", "core"],
        "core_1",
    )
    assert detail["scaiqueue_provisioning"]["scope_id"] == "sc_1"


@pytest.mark.parametrize(
    ("topology", "message", "fix"),
    [
        (
            {"queues": [{"slug": "review"}]},
            "The flow declares queues, but no scope for them.",
            "Set 'config.scaiqueue.scope'.",
        ),
        (
            {"scope": "support", "queues": [{"slug": f"q-{number}"} for number in range(MOST_QUEUES + 1)]},
            "The flow declares 4 queues; a deploy sets up at most 3.",
            None,
        ),
    ],
)
async def test_what_cannot_be_set_up_is_refused_without_asking(
    deploys: DeployFlow,
    grid: PlayedGrid,
    keep_with: KeepWith,
    bob: Caller,
    topology: dict[str, Any],
    message: str,
    fix: str | None,
) -> None:
    flow = await keep_with(topology)

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    detail = caught.value.detail()
    assert (detail["error"], detail["message"], detail.get("fix")) == (
        "scaiqueue_provision_failed",
        message,
        fix,
    )
    assert grid.steps == []


@pytest.mark.parametrize("step", ["scopes", "queues"])
async def test_who_may_not_look_is_told_that_looking_is_what_it_takes(
    deploys: DeployFlow, grid: PlayedGrid, keep_with: KeepWith, bob: Caller, step: str
) -> None:
    flow = await keep_with(TOPOLOGY)
    await deploys.deploy(bob, flow.id, QUIETLY)
    grid.faults[step] = [refusal(403)]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)

    detail = caught.value.detail()
    assert (detail["error"], detail["fix"]) == (
        "scaiqueue_auth",
        "Caller needs the `scaiqueue:view` permission on this tenant.",
    )
