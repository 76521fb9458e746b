"""ScaiCore module: invocations and their events."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from localgrid_ir import ScriptedModels
from localgrid_support import ECHO, SCAICORE, Caller, RunningGrid, echo, error_of, running_grid

from scaiflow_api.compiler import compile_flow
from scaiflow_api.localgrid import GridConfig

FAILING = ECHO.replace('message: "{{message}}"', 'message: "{{ 1 + message }}"')
TWO_FLOWS = ECHO.replace(
    "  scaiflow_meta:",
    """\
    - name: second
      trigger:
        type: schedule
        cron: 0 * * * *
        timezone: UTC
      steps:
        - set:
            - variable: output
              value: second
          meta:
            node_id: node_second
            node_kind: data_variable_set
            node_label: Second
            node_config: {}
  scaiflow_meta:""",
)


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


class Gate(ScriptedModels):
    """A model that answers once it is told to."""

    def __init__(self) -> None:
        super().__init__([{"response": "late"}])
        self.called = asyncio.Event()
        self.open = asyncio.Event()

    async def complete(self, choice: Any, request: Any) -> Any:
        self.called.set()
        await self.open.wait()
        return await super().complete(choice, request)


async def test_the_echo_agent_echoes(bob: Caller) -> None:
    answer = await bob.invoke(await bob.running(ECHO), input={"message": "hello"})

    assert answer.pop("execution_id").startswith("exec_")
    assert answer == {"status": "COMPLETED", "output": {"response": "hello"}}


async def test_a_run_tells_its_events_in_order(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    execution_id = (await bob.invoke(core_id, input={"message": "hello"}, instance_key="k"))["execution_id"]
    events = (await bob.events(core_id=core_id))["events"]

    prefix = "scaicore.runtime."
    assert [event["type"].removeprefix(prefix) for event in events] == [
        "invocation.started",
        "block.entered",
        "block.exited",
        "invocation.completed",
    ]
    assert {event["core_id"] for event in events} == {core_id}
    assert {event["payload"]["execution_id"] for event in events} == {execution_id}
    assert events[0]["timestamp"] == "2026-04-29T12:34:56.000Z"
    assert events[0]["payload"]["input"] == {"message": "hello"}
    assert events[0]["payload"]["node_id"] is None
    assert events[0]["payload"]["instance_key"] == "k"
    assert events[1]["payload"]["block_kind"] == "flexible"
    assert events[2]["payload"]["node_id"] == "node_echo"
    assert events[2]["payload"]["result_binding_value"] == {"response": "hello"}
    assert events[3]["payload"]["output"] == {"response": "hello"}
    assert events[3]["payload"]["duration_ms"] >= 0


async def test_a_failed_run_is_an_answer(bob: Caller) -> None:
    core_id = await bob.running(FAILING)
    answer = await bob.invoke(core_id, input={"message": "hello"})
    events = (await bob.events(core_id=core_id))["events"]

    assert (answer["status"], answer["output"]) == ("FAILED", None)
    assert (answer["error"]["code"], answer["error"]["node_id"]) == ("EVALUATION_ERROR", "node_echo")
    assert events[-2]["type"] == "scaicore.runtime.block.failed"
    assert events[-2]["payload"]["error"]["message"] == answer["error"]["message"]
    assert events[-1]["type"] == "scaicore.runtime.invocation.failed"
    assert events[-1]["payload"]["error"] == answer["error"]


async def test_a_flow_is_chosen_by_name(bob: Caller) -> None:
    core_id = await bob.running(TWO_FLOWS)
    wrong = await bob("POST", f"{SCAICORE}/cores/{core_id}/invoke", json={"flow_name": "third"})

    assert (await bob.invoke(core_id, input={"message": "x"}))["output"] == {"response": "x"}
    assert (await bob.invoke(core_id, flow_name="second"))["output"] == "second"
    assert wrong.status_code == 422
    assert "second" in error_of(wrong)["message"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"input": ["no object"]}', "input"),
        (b'{"input": {"a": NaN}}', None),
        (b'{"input": {"a": "\\ud800"}}', None),
        (b"{", None),
        (b"[" * 5000, None),
        (b'{"input": {"a": ' + b"[" * 70 + b"]" * 70 + b"}}", "input"),
        (b'{"flow_name": 1}', "flow_name"),
        (b'{"instance_key": "' + b"k" * 300 + b'"}', "instance_key"),
    ],
)
async def test_bad_invocations_are_refused(bob: Caller, content: bytes, field: str | None) -> None:
    core_id = await bob.running(ECHO)
    response = await bob("POST", f"{SCAICORE}/cores/{core_id}/invoke", content=content)

    assert response.status_code == 422
    error = error_of(response)
    assert error["code"] == "VALIDATION_ERROR"
    if field:
        assert error["details"][0]["field"] == field
    assert (await bob.events(core_id=core_id))["events"] == []


async def test_only_running_cores_run(bob: Caller) -> None:
    core_id = (await bob.deploy(ECHO)).json()["data"]["id"]
    response = await bob("POST", f"{SCAICORE}/cores/{core_id}/invoke", json={"input": {}})

    assert (response.status_code, error_of(response)["code"]) == (409, "CORE_NOT_RUNNING")


async def test_runs_do_not_share_anything(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    answers = await asyncio.gather(*(bob.invoke(core_id, input={"message": f"m{i}"}) for i in range(20)))

    assert [answer["output"]["response"] for answer in answers] == [f"m{i}" for i in range(20)]
    assert len({answer["execution_id"] for answer in answers}) == 20


async def test_a_long_run_goes_on_after_its_answer(config: GridConfig) -> None:
    gate = Gate()
    async with running_grid(replace(config, invoke_wait_s=0.05), models=gate) as grid:
        bob = await grid.caller("usr_bob")
        core_id = await bob.running(ECHO)
        answer = await bob.invoke(core_id, input={"message": "x"})
        gate.open.set()
        last: dict[str, Any] = {"type": ""}
        while "invocation.completed" not in last["type"]:
            await asyncio.sleep(0)
            last = (await bob.events(core_id=core_id))["events"][-1]

    assert (answer["status"], answer["output"]) == ("RUNNING", None)
    assert last["payload"]["execution_id"] == answer["execution_id"]
    assert last["payload"]["output"] == {"response": "late"}


async def test_a_run_ends_with_its_time(config: GridConfig) -> None:
    async with running_grid(replace(config, run_timeout_s=0.05), models=Gate()) as grid:
        bob = await grid.caller("usr_bob")
        answer = await bob.invoke(await bob.running(ECHO), input={"message": "x"})

    assert (answer["status"], answer["error"]["code"]) == ("FAILED", "RUN_TIMEOUT")


async def test_a_bug_in_the_runtime_fails_the_run_and_nothing_else(config: GridConfig) -> None:
    class Broken(ScriptedModels):
        async def complete(self, choice: Any, request: Any) -> Any:
            raise ZeroDivisionError("secret detail")

    async with running_grid(config, models=Broken()) as grid:
        bob = await grid.caller("usr_bob")
        answer = await bob.invoke(await bob.running(ECHO), input={"message": "x"})

    assert (answer["status"], answer["error"]["code"]) == ("FAILED", "INTERNAL_ERROR")
    assert "secret" not in str(answer)


async def test_a_stop_cuts_off_what_is_not_done_twice(config: GridConfig) -> None:
    gate = Gate()
    async with running_grid(replace(config, invoke_wait_s=0.05), models=gate) as grid:
        bob = await grid.caller("usr_bob")
        core_id = await bob.running(ECHO)
        execution_id = (await bob.invoke(core_id, input={"message": "x"}))["execution_id"]
        await gate.called.wait()

    async with running_grid(config) as grid:
        bob = Caller(grid.http, bob.bearer)
        events: list[Any] = []
        while not events or "invocation.failed" not in events[-1]["type"]:
            events = (await bob.events(core_id=core_id))["events"]

    assert [event["type"].rpartition("runtime.")[2] for event in events] == [
        "invocation.started",
        "block.entered",
        "block.failed",
        "invocation.failed",
    ]
    assert events[-1]["payload"]["execution_id"] == execution_id
    assert events[-1]["payload"]["error"]["code"] == "INTERRUPTED"
    assert len(gate.requests) == 0


# Following the events


async def test_without_a_cursor_the_latest_events_come_oldest_first(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    for message in ("first", "second"):
        await bob.invoke(core_id, input={"message": message})
    latest = (await bob.events(core_id=core_id, limit=4))["events"]

    assert latest[0]["payload"]["input"] == {"message": "second"}
    assert latest[-1]["type"].endswith("invocation.completed")
    assert len((await bob.events(core_id=core_id))["events"]) == 8


async def test_a_follower_misses_nothing_and_sees_nothing_twice(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    page = await bob.events(core_id=core_id)
    seen: list[str] = []
    for round_ in range(3):
        await bob.invoke(core_id, input={"message": str(round_)})
        while (page := await bob.events(core_id=core_id, limit=3, cursor=page["next_cursor"]))["events"]:
            seen += [event["id"] for event in page["events"]]

    everything = (await bob.events(core_id=core_id, cursor="earliest", limit=500))["events"]
    assert seen == [event["id"] for event in everything]
    assert len(seen) == len(set(seen)) == 12
    assert (await bob.events(cursor=page["next_cursor"]))["next_cursor"] == page["next_cursor"]


async def test_events_stay_with_their_core_and_tenant(grid: RunningGrid, bob: Caller) -> None:
    first, second = await bob.running(ECHO), await bob.running(echo("second"))
    for core_id in (first, second):
        await bob.invoke(core_id, input={"message": core_id})
    dave = await grid.caller("usr_dave")
    foreign = await dave("GET", f"{SCAICORE}/events", params={"core_id": first})

    assert {e["core_id"] for e in (await bob.events(core_id=first))["events"]} == {first}
    assert {e["core_id"] for e in (await bob.events())["events"]} == {first, second}
    assert foreign.status_code == 404
    assert (await dave.events())["events"] == []
    assert (await (await grid.caller("usr_carol")).events())["events"] != []


async def test_a_large_output_is_answered_whole(config: GridConfig) -> None:
    text = "x" * 300_000
    async with running_grid(config) as grid:
        bob = await grid.caller("usr_bob")
        core_id = await bob.running(ECHO)
        answer = await bob.invoke(core_id, input={"message": text})
        events = (await bob.events(core_id=core_id))["events"]

    assert answer["output"] == {"response": text}
    assert events[2]["payload"]["result_binding_truncated"] is True
    assert events[3]["payload"]["output"] == {"response": text}


# What the compiler emits

TRIAGE = {
    "id": "flow_triage",
    "name": "Triage",
    "version": "2.0.0",
    "nodes": [
        {"id": "node_entry", "type": "entry_api"},
        {
            "id": "node_classify",
            "type": "llm_flexible",
            "config": {
                "goal": "Classify.",
                "output_schema": {"intent": "enum[question, complaint]"},
                "input_bindings": {"text": "{{ message.text ?? message }}"},
            },
        },
        {"id": "node_route", "type": "logic_decision", "config": {"style": "match", "subject": "intent"}},
        {"id": "node_sorry", "type": "llm_rigid", "config": {"template": "Sorry, {{ name }}."}},
        {
            "id": "node_answer",
            "type": "data_variable_set",
            "config": {
                "variable": "output",
                "value": {"to": "{{ name }}", "intent": "{{ classify.intent }}"},
            },
        },
    ],
    "edges": [
        ("edge_1", "node_entry", "node_classify", None),
        ("edge_2", "node_classify", "node_route", None),
        ("edge_3", "node_route", "node_sorry", "'complaint'"),
        ("edge_4", "node_route", "node_answer", "true"),
    ],
    "config": {
        "core_identity": {"models": [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]}
    },
}


def document_of(short: dict[str, Any]) -> dict[str, Any]:
    """Return a flow document with what every node and edge of it must have."""
    nodes = [{"label": node["id"], "position": {"x": 0, "y": 0}, **node} for node in short["nodes"]]
    edges = [
        {
            "id": edge_id,
            "type": "conditional" if condition else "sequential",
            "source": {"node": source, "port": "out_request" if source == "node_entry" else "out"},
            "target": {"node": target, "port": "in"},
            **({"condition": condition} if condition else {}),
        }
        for edge_id, source, target, condition in short["edges"]
    ]
    return {**short, "nodes": nodes, "edges": edges}


@pytest.mark.parametrize(
    ("text", "output", "edge"),
    [
        ("I have a complaint", "Sorry, Ann.", "edge_3"),
        ("Just a question", {"to": "Ann", "intent": "question"}, "edge_4"),
    ],
)
async def test_a_compiled_flow_runs_as_it_was_drawn(bob: Caller, text: str, output: Any, edge: str) -> None:
    core_id = await bob.running(str(compile_flow(document_of(TRIAGE)).body))
    answer = await bob.invoke(core_id, input={"message": {"text": text}, "name": "Ann"})
    events = (await bob.events(core_id=core_id))["events"]

    assert answer["output"] == output
    taken = [event["payload"]["edge_id"] for event in events if "edge_id" in event["payload"]]
    assert taken == [edge]
