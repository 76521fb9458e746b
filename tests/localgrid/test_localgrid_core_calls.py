"""ScaiCore module: flows that call flows of other Cores."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from localgrid_ir import ScriptedModels
from localgrid_support import ECHO, SCAICORE, Caller, RunningGrid, running_grid

from scaiflow_api.localgrid import GridConfig


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


def a_manifest(name: str, *steps: dict[str, Any]) -> str:
    """Return the manifest of a Core whose flow runs these steps, and whose second flow answers `second`."""
    models = [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]
    core = {
        "name": name,
        "mode": "stateless",
        "runtime_version": "0.2",
        "identity": {"provider": "scaikey", "persona": "Tester"},
        "model": "scaigrid/openai/gpt-4o",
        "flows": [
            {"name": name, "trigger": {"type": "api"}, "steps": list(steps)},
            {
                "name": "second",
                "trigger": {"type": "api"},
                "steps": [{"set": [{"variable": "output", "value": "second"}]}],
            },
        ],
        "scaiflow_meta": {"source_id": None, "source_version": "1.0.0", "models": models},
    }
    return json.dumps({"core": core})


def calls(target: str, **more: Any) -> dict[str, Any]:
    meta = {"node_id": "node_call", "node_kind": "subflow_call", "node_label": "Call"}
    return {"core_call": {"target": f"core://{target}", **more}, "meta": meta}


def answers(value: Any) -> dict[str, Any]:
    return {"set": [{"variable": "output", "value": value}]}


async def caller_of(bob: Caller, target: str, **more: Any) -> str:
    """Deploy and start a Core that calls another one; return its id."""
    return await bob.running(a_manifest("the caller", calls(target, **more), answers("{{ call }}")))


async def failure_of(bob: Caller, target: str, **more: Any) -> dict[str, Any]:
    answer = await bob.invoke(await caller_of(bob, target, **more))
    assert answer["status"] == "FAILED"
    error: dict[str, Any] = answer["error"]
    return error


async def test_a_call_answers_what_the_other_flow_returns(bob: Caller) -> None:
    echo_id = await bob.running(ECHO)
    core_id = await caller_of(
        bob, "acme/echo-agent", input_bindings={"message": "{{ text }}!"}, instance_key="k"
    )
    answer = await bob.invoke(core_id, input={"text": "hello"})
    called = (await bob.events(core_id=echo_id))["events"]

    assert answer["output"] == {"response": "hello!"}
    assert [event["type"].rpartition("runtime.")[2] for event in called] == [
        "invocation.started",
        "block.entered",
        "block.exited",
        "invocation.completed",
    ]
    assert called[0]["payload"]["input"] == {"message": "hello!"}
    assert called[0]["payload"]["instance_key"] == "k"
    assert called[0]["payload"]["execution_id"] != answer["execution_id"]


async def test_a_call_may_name_the_flow_and_the_version(bob: Caller) -> None:
    await bob.running(a_manifest("other", answers("first")))
    core_id = await caller_of(bob, "acme/other", flow_name="second", version="1.0.0")

    assert (await bob.invoke(core_id))["output"] == "second"


@pytest.mark.parametrize(
    ("target", "more", "code"),
    [
        ("acme/nobody", {}, "CORE_NOT_FOUND"),
        ("globex/other", {}, "CORE_NOT_FOUND"),
        ("nowhere/other", {}, "CORE_NOT_FOUND"),
        ("acme/other", {"flow_name": "third"}, "FLOW_NOT_FOUND"),
        ("acme/other", {"version": "2.0.0"}, "CORE_VERSION_NOT_FOUND"),
    ],
)
async def test_what_is_not_there_fails_the_call(
    grid: RunningGrid, bob: Caller, target: str, more: dict[str, Any], code: str
) -> None:
    await bob.running(a_manifest("other", answers("mine")))
    await (await grid.caller("usr_dave")).running(a_manifest("other", answers("foreign")))
    error = await failure_of(bob, target, **more)

    assert (error["code"], error["node_id"]) == (code, "node_call")
    assert target in error["message"]


async def test_a_core_must_run_to_be_called(bob: Caller) -> None:
    core_id = await bob.running(a_manifest("other", answers("x")))
    await bob("POST", f"{SCAICORE}/cores/{core_id}/stop")

    assert (await failure_of(bob, "acme/other"))["code"] == "CORE_NOT_RUNNING"


async def test_a_call_of_a_flow_that_fails_fails_and_says_why(bob: Caller) -> None:
    await bob.running(a_manifest("other", answers("{{ 1 + 'a' }}")))
    error = await failure_of(bob, "acme/other")

    assert error["code"] == "CORE_CALL_FAILED"
    assert error["message"].startswith("core://acme/other failed with EVALUATION_ERROR: ")


async def test_cores_that_call_themselves_come_to_an_end(bob: Caller) -> None:
    core_id = await caller_of(bob, "acme/the-caller")
    answer = await bob.invoke(core_id)
    started = [event for event in (await bob.events(core_id=core_id))["events"] if "started" in event["type"]]

    assert "CALL_DEPTH_EXCEEDED" in answer["error"]["message"]
    assert len(started) == 9


async def test_all_runs_of_an_invocation_share_one_budget(config: GridConfig) -> None:
    loop = {"foreach": {"items": "[1, 2, 3]", "steps": [calls("acme/the-core", is_async=True)]}}
    async with running_grid(replace(config, max_blocks=50)) as grid:
        bob = await grid.caller("usr_bob")
        core_id = await bob.running(a_manifest("the core", loop))
        await bob.invoke(core_id)
        last: list[dict[str, Any]] = []
        seen = -1
        while len(last) != seen or not seen:
            seen = len(last)
            await asyncio.sleep(0.1)
            last = (await bob.events(core_id=core_id, limit=500, cursor="earliest"))["events"]

    entered = [event for event in last if event["type"].endswith("block.entered")]
    assert 12 < len(entered) < 50
    assert any(event["payload"].get("error", {}).get("code") == "TOO_MANY_BLOCKS" for event in last)


class Gate(ScriptedModels):
    """A model that answers once it is told to."""

    def __init__(self) -> None:
        super().__init__([{"response": "late"}])
        self.open = asyncio.Event()

    async def complete(self, choice: Any, request: Any) -> Any:
        await self.open.wait()
        return await super().complete(choice, request)


async def test_a_call_waits_no_longer_than_its_timeout(config: GridConfig) -> None:
    async with running_grid(config, models=Gate()) as grid:
        bob = await grid.caller("usr_bob")
        echo_id = await bob.running(ECHO)
        error = await failure_of(bob, "acme/echo-agent", timeout="0s")
        last = (await bob.events(core_id=echo_id))["events"][-1]

    assert error["code"] == "CORE_CALL_FAILED"
    assert "RUN_TIMEOUT" in error["message"]
    assert last["type"].endswith("invocation.failed")


async def test_a_call_that_is_not_waited_for_goes_on_by_itself(config: GridConfig) -> None:
    gate = Gate()
    async with running_grid(config, models=gate) as grid:
        bob = await grid.caller("usr_bob")
        echo_id = await bob.running(ECHO)
        answer = await bob.invoke(await caller_of(bob, "acme/echo-agent", is_async=True, timeout="0s"))
        gate.open.set()
        last: dict[str, Any] = {"type": ""}
        while "invocation.completed" not in last["type"]:
            await asyncio.sleep(0.01)
            last = ((await bob.events(core_id=echo_id))["events"] or [last])[-1]

    assert (answer["status"], answer["output"]) == ("COMPLETED", None)
    assert last["payload"]["output"] == {"response": "late"}
