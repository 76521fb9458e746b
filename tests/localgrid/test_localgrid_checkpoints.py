"""ScaiCore module: checkpoints on the wire."""

import asyncio
from typing import Any

import pytest
from localgrid_ir import asks
from localgrid_people import APPROVAL, ended, listed, manifest, read, resolve, suspended, waits
from localgrid_support import SCAICORE, Caller, FakeClock, RunningGrid, error_of, running_grid

from scaiflow_api.compiler import compile_flow
from scaiflow_api.localgrid import GridConfig


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


async def test_a_checkpoint_suspends_a_run_and_its_row_tells_all(bob: Caller) -> None:
    core_id, row = await suspended(bob, instance_key="k")

    assert len(row.pop("id")) == 36
    assert row.pop("execution_id").startswith("exec_")
    assert row == {
        "core_id": core_id,
        "tenant_id": "tnt_acme",
        "status": "pending",
        "expires_at": None,
        "flow_name": "main",
        "block_index": 0,
        "instance_key": "k",
        "checkpoint_type": "approval",
        "prompt": "Pay 7?",
        "options": ["approve", {"id": "reject", "label": "No"}],
        "assignee_raw": None,
        "assignee_type": "unrouted",
        "assignee_resolved": None,
        "context": {"node_id": "node_ok"},
        "priority": "normal",
        "expiry_action": "fail",
        "escalation_target": None,
        "notification_sent": False,
        "reminder_count": 0,
        "reminder_interval_m": None,
        "resolution": None,
        "resolved_by": None,
        "resolved_at": None,
        "comment": None,
        "state_s3_key": None,
        "created_at": "2026-04-29T12:34:56.000Z",
    }


async def test_resolving_lets_the_run_go_on(bob: Caller) -> None:
    core_id, row = await suspended(bob)
    waiting = (await bob("GET", f"{SCAICORE}/executions/{row['execution_id']}")).json()["data"]
    answer = await resolve(bob, row, "approve", comment="fine")
    run = await ended(bob, row["execution_id"])
    events = (await bob.events(core_id=core_id))["events"]

    assert (waiting["status"], waiting["checkpoint_id"]) == ("SUSPENDED", row["id"])
    resolved = answer.json()["data"]
    assert (resolved["status"], resolved["resolution"]) == ("resolved", {"decision": "approve"})
    assert (resolved["resolved_by"], resolved["comment"]) == ("usr_bob", "fine")
    assert (run["status"], run["output"]) == ("COMPLETED", {"decision": "approve"})
    assert [event["type"].removeprefix("scaicore.").removeprefix("runtime.") for event in events] == [
        *("invocation.started", "block.entered", "checkpoint_pending", "checkpoint_resolved"),
        *("block.exited", "block.entered", "block.exited", "invocation.completed"),
    ]
    pending, told = events[2]["payload"], events[3]["payload"]
    assert {p["execution_id"] for p in (pending, told)} == {row["execution_id"]}
    assert (pending["checkpoint_id"], pending["node_id"]) == (row["id"], "node_ok")
    assert (told["status"], told["resolution"]) == ("resolved", {"decision": "approve"})
    assert events[4]["payload"]["result_binding_value"] == {"decision": "approve"}


async def test_of_several_answers_one_counts(bob: Caller) -> None:
    _, row = await suspended(bob)
    answers = await asyncio.gather(*(resolve(bob, row, choice) for choice in ["approve", "reject"] * 5))
    run = await ended(bob, row["execution_id"])
    late = await bob("POST", f"{SCAICORE}/checkpoints/{row['id']}/cancel")

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    (won,) = (answer.json()["data"] for answer in answers if answer.status_code == 200)
    assert run["output"] == won["resolution"]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert error_of(refused)["code"] == "CHECKPOINT_NOT_PENDING"
    assert (late.status_code, error_of(late)["message"]) == (409, "The checkpoint is already resolved.")


async def test_a_cancelled_checkpoint_fails_its_block(bob: Caller) -> None:
    _, row = await suspended(bob)
    answer = await bob("POST", f"{SCAICORE}/checkpoints/{row['id']}/cancel")
    run = await ended(bob, row["execution_id"])

    assert (answer.json()["data"]["status"], answer.json()["data"]["resolved_by"]) == ("cancelled", "usr_bob")
    assert (run["status"], run["error"]["code"]) == ("FAILED", "CHECKPOINT_CANCELLED")
    assert run["error"]["node_id"] == "node_ok"


async def test_somebody_else_may_be_asked(bob: Caller) -> None:
    _, row = await suspended(bob)
    path = f"{SCAICORE}/checkpoints/{row['id']}/reassign"
    changed = await bob("POST", path, json={"assignee": "group:grp_ops"})
    wrong = [
        await bob("POST", path, json=body) for body in ({}, {"assignee": "grp_ops"}, {"assignee": "user:"})
    ]
    await resolve(bob, row)
    late = await bob("POST", path, json={"assignee": "group:grp_ops"})

    assert changed.json()["data"] == {
        **row,
        "assignee_raw": "group:grp_ops",
        "assignee_type": "group",
        "assignee_resolved": {"type": "group", "value": "grp_ops"},
    }
    assert [(r.status_code, error_of(r)["details"][0]["field"]) for r in wrong] == [(422, "assignee")] * 3
    assert error_of(late)["code"] == "CHECKPOINT_NOT_PENDING"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"{}", "resolution"),
        (b'{"resolution": 1}', None),
        (b'{"resolution": ["approve"]}', None),
        (b'{"resolution": "maybe"}', "resolution"),
        (b'{"resolution": {"decision": "maybe"}}', "resolution"),
        (b'{"resolution": "approve", "comment": 1}', "comment"),
        (b'{"resolution": {"a": ' + b"[" * 70 + b"]" * 70 + b"}}", "resolution"),
        (b'{"resolution": "\\ud800"}', None),
        (b"{", None),
    ],
)
async def test_bad_resolutions_are_refused(bob: Caller, content: bytes, field: str | None) -> None:
    _, row = await suspended(bob)
    response = await bob("POST", f"{SCAICORE}/checkpoints/{row['id']}/resolve", content=content)

    assert (response.status_code, error_of(response)["code"]) == (422, "VALIDATION_ERROR")
    if field:
        assert error_of(response)["details"][0]["field"] == field
    assert (await read(bob, row["id"]))["status"] == "pending"


@pytest.mark.parametrize("resolution", ["reject", {"decision": "reject", "note": "x"}, {"note": "x"}])
async def test_options_limit_the_decision_and_nothing_else(bob: Caller, resolution: Any) -> None:
    _, row = await suspended(bob)

    assert (await resolve(bob, row, resolution)).status_code == 200


async def test_a_breakpoint_stops_before_its_node(bob: Caller) -> None:
    document = {
        "id": "flow_b",
        "name": "B",
        "version": "1.0.0",
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "", "position": {"x": 0, "y": 0}},
            {
                "id": "node_say",
                "type": "llm_rigid",
                "label": "",
                "position": {"x": 0, "y": 0},
                "config": {"template": "hello", "breakpoint": True},
            },
        ],
        "edges": [
            {
                "id": "edge_1",
                "type": "sequential",
                "source": {"node": "node_entry", "port": "out_request"},
                "target": {"node": "node_say", "port": "in"},
            }
        ],
    }
    core_id, row = await suspended(bob, str(compile_flow(document).body))
    before = [event["type"] for event in (await bob.events(core_id=core_id))["events"]]
    await resolve(bob, row, "continue")

    assert (row["checkpoint_type"], row["context"]) == ("debug_breakpoint", {"node_id": "node_say"})
    assert before == ["scaicore.runtime.invocation.started", "scaicore.checkpoint_pending"]
    assert (await ended(bob, row["execution_id"]))["output"] == "hello"


# Time


@pytest.mark.parametrize(
    ("on_timeout", "status", "resolution", "output"),
    [
        (None, "expired", None, "CHECKPOINT_EXPIRED"),
        ("fail", "expired", None, "CHECKPOINT_EXPIRED"),
        ("continue", "expired", None, None),
        ("resolve:reject", "resolved", {"decision": "reject"}, {"decision": "reject"}),
    ],
)
async def test_a_checkpoint_whose_time_runs_out_ends_as_its_on_timeout_says(
    bob: Caller, clock: FakeClock, on_timeout: str | None, status: str, resolution: Any, output: Any
) -> None:
    _, row = await suspended(bob, manifest(waits(timeout="1h", on_timeout=on_timeout)))
    clock.forward(3599)
    still = await read(bob, row["id"])
    clock.forward(1)
    late = await resolve(bob, row)
    run = await ended(bob, row["execution_id"])
    row = await read(bob, row["id"])

    assert (still["status"], still["expires_at"]) == ("pending", "2026-04-29T13:34:56.000Z")
    assert (late.status_code, error_of(late)["code"]) == (409, "CHECKPOINT_NOT_PENDING")
    assert (row["status"], row["resolution"], row["resolved_by"]) == (status, resolution, None)
    assert (run["error"]["code"] if run["status"] == "FAILED" else run["output"]) == output


async def test_time_that_runs_out_may_ask_others(grid: RunningGrid, clock: FakeClock) -> None:
    bob = Caller(grid.http, "sgk_local_development")  # tokens live for an hour
    core_id, row = await suspended(
        bob, manifest(waits(timeout="1h", on_timeout="escalate", assignee="user:bob@acme.example"))
    )
    clock.forward(7200)
    escalated = await read(bob, row["id"])
    clock.forward(720_000)
    answer = await resolve(bob, row, "late but welcome")
    events = (await bob.events(core_id=core_id))["events"]

    assert (row["assignee_raw"], row["escalation_target"]) == ("user:bob@acme.example", "role:tenant_admin")
    assert (escalated["status"], escalated["expires_at"]) == ("pending", None)
    assert (escalated["assignee_raw"], escalated["priority"]) == ("role:tenant_admin", "critical")
    assert answer.status_code == 200
    pending = [event["payload"].get("escalated") for event in events if "pending" in event["type"]]
    assert pending == [None, True]


async def test_time_runs_out_with_nobody_looking(config: GridConfig) -> None:
    async with running_grid(config) as grid:
        bob = await grid.caller("usr_bob")
        _, row = await suspended(bob, manifest(waits(timeout="1h", on_timeout="continue")))
    clock = FakeClock()
    clock.forward(3600)
    async with running_grid(config, clock) as grid:
        run = await ended(await grid.caller("usr_bob"), row["execution_id"])

    assert run["status"] == "COMPLETED"


# Lists


async def test_lists_are_filtered_and_paged(bob: Caller) -> None:
    core_id, first = await suspended(bob)
    for _ in range(2):
        await bob.invoke(core_id, input={"amount": 1})
    other_id, other = await suspended(bob, APPROVAL.replace("under-test", "other"))
    await resolve(bob, first)
    await bob("POST", f"{SCAICORE}/checkpoints/{other['id']}/cancel")

    async def page(**params: Any) -> Any:
        response = await bob("GET", f"{SCAICORE}/checkpoints", params=params)
        return response.json()["data"]

    everything = await listed(bob)
    assert [row["core_id"] for row in everything] == [core_id] * 3 + [other_id]
    assert [row["id"] for row in await listed(bob, status="pending")] == [r["id"] for r in everything[1:3]]
    assert await listed(bob, status="pending", core_id=other_id) == []
    assert [r["id"] for r in await listed(bob, status="resolved,cancelled")] == [first["id"], other["id"]]
    assert [r["id"] for r in await listed(bob, execution_id=first["execution_id"])] == [first["id"]]
    pages = [await page(limit=3)]
    pages.append(await page(limit=3, cursor=pages[0]["next_cursor"]))
    assert [len(p["checkpoints"]) for p in pages] == [3, 1]
    assert [row for p in pages for row in p["checkpoints"]] == everything
    assert pages[1]["next_cursor"] is None


@pytest.mark.parametrize(
    ("params", "field"),
    [({"status": "failed"}, "status"), ({"cursor": "x"}, "cursor"), ({"limit": 0}, "limit")],
)
async def test_bad_lists_are_refused(bob: Caller, params: dict[str, Any], field: str) -> None:
    response = await bob("GET", f"{SCAICORE}/checkpoints", params=params)

    assert response.status_code == 422
    assert error_of(response)["details"][0]["field"] == field


# Who may


async def test_who_may_look_may_not_answer(grid: RunningGrid, bob: Caller) -> None:
    _, row = await suspended(bob)
    carol = await grid.caller("usr_carol")
    refused = [
        await resolve(carol, row),
        await carol("POST", f"{SCAICORE}/checkpoints/{row['id']}/cancel"),
        await carol("POST", f"{SCAICORE}/checkpoints/{row['id']}/reassign", json={"assignee": "user:x"}),
        await carol("POST", f"{SCAICORE}/executions/{row['execution_id']}/cancel"),
    ]

    assert [r["id"] for r in await listed(carol)] == [row["id"]]
    assert (await read(carol, row["id"]))["status"] == "pending"
    assert [error_of(response)["code"] for response in refused] == ["AUTHZ_PERMISSION_DENIED"] * 4


async def test_other_tenants_see_nothing(grid: RunningGrid, bob: Caller) -> None:
    core_id, row = await suspended(bob)
    dave = await grid.caller("usr_dave")
    answers = [
        await dave("GET", f"{SCAICORE}/checkpoints/{row['id']}"),
        await resolve(dave, row),
        await dave("POST", f"{SCAICORE}/checkpoints/{row['id']}/cancel"),
        await dave("POST", f"{SCAICORE}/checkpoints/{row['id']}/reassign", json={"assignee": "user:x"}),
        await dave("GET", f"{SCAICORE}/executions/{row['execution_id']}"),
        await dave("POST", f"{SCAICORE}/executions/{row['execution_id']}/cancel"),
        await dave("GET", f"{SCAICORE}/checkpoints", params={"core_id": core_id}),
    ]

    assert await listed(dave) == []
    assert [answer.status_code for answer in answers] == [404] * 7
    assert [error_of(answer)["code"] for answer in answers] == [
        *["CHECKPOINT_NOT_FOUND"] * 4,
        *["EXECUTION_NOT_FOUND"] * 2,
        "CORE_NOT_FOUND",
    ]
    assert (await read(bob, row["id"]))["status"] == "pending"


# Executions and Cores that end


async def test_an_execution_is_cancelled_with_what_it_asks(bob: Caller) -> None:
    _, row = await suspended(bob)
    path = f"{SCAICORE}/executions/{row['execution_id']}/cancel"
    answer = await bob("POST", path)
    again = await bob("POST", path)

    assert answer.status_code == 200
    assert (answer.json()["data"]["status"], answer.json()["data"]["error"]["code"]) == (
        "FAILED",
        "CANCELLED",
    )
    assert (await read(bob, row["id"]))["status"] == "cancelled"
    assert (again.status_code, error_of(again)["code"]) == (409, "EXECUTION_NOT_ACTIVE")
    assert (await ended(bob, row["execution_id"])) == answer.json()["data"]


async def test_a_stopped_core_takes_no_answers(bob: Caller) -> None:
    core_id, row = await suspended(bob)
    await bob("POST", f"{SCAICORE}/cores/{core_id}/stop")
    refused = await resolve(bob, row)
    await bob("POST", f"{SCAICORE}/cores/{core_id}/start")

    assert (refused.status_code, error_of(refused)["code"]) == (409, "CORE_NOT_RUNNING")
    assert (await resolve(bob, row)).status_code == 200


async def test_the_runs_of_a_deleted_core_end(bob: Caller) -> None:
    core_id, row = await suspended(bob)
    deleted = await bob("DELETE", f"{SCAICORE}/cores/{core_id}")

    assert deleted.status_code == 204
    assert (await read(bob, row["id"]))["status"] == "cancelled"
    assert (await ended(bob, row["execution_id"]))["error"]["code"] == "CANCELLED"
    assert error_of(await resolve(bob, row))["code"] == "CHECKPOINT_NOT_PENDING"


async def test_a_run_keeps_the_manifest_it_began_with(config: GridConfig) -> None:
    async with running_grid(config) as grid:
        bob = await grid.caller("usr_bob")
        core_id, row = await suspended(bob)
        replaced = await bob(
            "PUT",
            f"{SCAICORE}/cores/{core_id}",
            content=manifest(asks("node_ok")),
            headers={"Content-Type": "application/yaml"},
        )
        assert replaced.status_code == 200, replaced.text
    async with running_grid(config) as grid:
        bob = await grid.caller("usr_bob")
        await resolve(bob, row)
        run = await ended(bob, row["execution_id"])

    assert run["output"] == {"decision": "approve"}
