"""Hand-built modules, and models that say what a test tells them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.budget import BlockBudget
from scaiflow_api.localgrid.runtime.checkpoint import Answer, Question
from scaiflow_api.localgrid.runtime.core_call import CoreRequest
from scaiflow_api.localgrid.runtime.events import RuntimeEvent
from scaiflow_api.localgrid.runtime.failures import BlockFailed, RunFailed
from scaiflow_api.localgrid.runtime.interpreter import Run
from scaiflow_api.localgrid.runtime.lane import Work
from scaiflow_api.localgrid.runtime.model_calls import ModelChoice, ModelFailed, ModelRequest
from scaiflow_api.localgrid.runtime.plugin_call import Plugin

BROKEN = "{{ 1 + 'a' }}"
"""A template that fails when it is filled in."""


def a_module(
    *body: ir.AnyBlock,
    outputs: Sequence[ir.OutputCandidate] = (),
    variables: Mapping[str, Any] | None = None,
    models: Sequence[Mapping[str, Any]] = ({"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"},),
) -> ir.Module:
    return ir.Module(
        name="under-test",
        version="1.0.0",
        runtime_version="0.2",
        mode="stateless",
        identity=ir.Identity(provider="scaikey", persona="Helpful Tester"),
        models=tuple(models),
        variables=tuple({"name": n, "type": "object", "default": d} for n, d in (variables or {}).items()),
        triggers=(ir.Trigger(kind="api", name="entry", target_flow="main", node_id="node_entry"),),
        flows=(ir.Flow(name="main", params={}, body=body, outputs=tuple(outputs)),),
        metadata=ir.Metadata(source_id=None, source_version=None, scaicore_target="0.2"),
    )


def says(node_id: str | None, template: Any, **more: Any) -> ir.RigidBlock:
    """A node whose result is a template."""
    return ir.RigidBlock(node_id=node_id, statements=(ir.ExpressionStatement(expression=template),), **more)


def sets(node_id: str | None, **values: Any) -> ir.RigidBlock:
    """A node that assigns variables."""
    return ir.RigidBlock(
        node_id=node_id,
        statements=tuple(ir.AssignStatement(name=name, value=value) for name, value in values.items()),
    )


def asks(node_id: str, **more: Any) -> ir.FlexibleBlock:
    return ir.FlexibleBlock(**{"node_id": node_id, "goal": "Answer.", "llm_role": "primary", **more})


def guards(node_id: str, **more: Any) -> ir.GuardedBlock:
    return ir.GuardedBlock(**{"node_id": node_id, "goal": "Answer.", "llm_role": "primary", **more})


def tries(block: ir.AnyBlock, *catch: ir.AnyBlock) -> ir.TryBlock:
    """A block whose node has `on_error: continue`."""
    return ir.TryBlock(source_location=ir.SourceLocation(block.node_id), body=(block,), catch=catch)


def arm(condition: str, *body: ir.AnyBlock, edge: str | None = None, compares: bool = False) -> ir.MatchArm:
    return ir.MatchArm(condition=condition, edge_id=edge, body=body, compares=compares)


def edges_of(node_id: str | None, *arms: ir.MatchArm, **more: Any) -> ir.MatchBlock:
    """The conditional edges that leave a node; of nobody: a test of flags."""
    return ir.MatchBlock(source_location=ir.SourceLocation(node_id), arms=arms, **more)


def decides(node_id: str, *arms: ir.MatchArm, **more: Any) -> ir.MatchBlock:
    return ir.MatchBlock(node_id=node_id, source_location=ir.SourceLocation(node_id), arms=arms, **more)


def each(items: str, *body: ir.AnyBlock, node_id: str | None = "node_loop", **more: Any) -> ir.ForeachBlock:
    return ir.ForeachBlock(node_id=node_id, items=items, body=body, **more)


def repeats(condition: str, *body: ir.AnyBlock, **more: Any) -> ir.WhileBlock:
    return ir.WhileBlock(
        **{"node_id": "node_loop", "condition": condition, "max_iterations": 9, **more}, body=body
    )


def splits(*branches: Sequence[ir.AnyBlock], **more: Any) -> ir.ParallelBlock:
    found = tuple(ir.Branch(edge_id=f"edge_{n}", body=tuple(body)) for n, body in enumerate(branches))
    return ir.ParallelBlock(**{"node_id": "node_split", **more}, branches=found)


def candidates(*nodes: str) -> tuple[ir.OutputCandidate, ...]:
    return tuple(ir.OutputCandidate(node_id=node) for node in nodes)


@dataclass
class ScriptedModels:
    """Implements Models and ModelProvider: gives its answers in turn, the last one again and again."""

    answers: list[Any] = field(default_factory=lambda: ["an answer"])
    requests: list[ModelRequest] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def complete(self, choice: ModelChoice | str, request: ModelRequest) -> Any:
        self.requests.append(request)
        self.asked.append(choice if isinstance(choice, str) else f"{choice.ref}/{choice.model}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ModelFailed):
            raise answer
        return answer


class Crowd(ScriptedModels):
    """A model that counts how many ask at once, and lets everybody wait until so many do."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.present = self.most = 0
        self.order: list[str] = []
        self._expected = expected
        self._full = asyncio.Event()

    async def complete(self, choice: Any, request: Any) -> Any:
        self.present += 1
        self.most = max(self.most, self.present)
        if self.present >= self._expected:
            self._full.set()
        try:
            async with asyncio.timeout(5):
                await self._full.wait()
        finally:
            self.present -= 1
        self.order.append(request.goal)
        return request.goal


@dataclass
class ScriptedCores:
    """Implements Cores: answers what a test says, by the target's last part."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    called: list[CoreRequest] = field(default_factory=list)
    started: list[CoreRequest] = field(default_factory=list)

    async def call(self, request: CoreRequest, place: str) -> Any:
        self.called.append(request)
        slug = request.target.rpartition("/")[2]
        if slug not in self.answers:
            raise BlockFailed("CORE_NOT_FOUND", "there is none")
        return self.answers[slug]

    async def start(self, request: CoreRequest, place: str) -> None:
        self.started.append(request)


@dataclass
class Outcome:
    output: Any = None
    failed: RunFailed | None = None
    events: list[RuntimeEvent] = field(default_factory=list)

    questions: list[Question] = field(default_factory=list)
    answer: Callable[[Question], Answer] = lambda _: Answer("resolved", {"decision": "approve"})

    # Implements Record, People and Traffic: keeps nothing, and answers everything at once.

    def emit(self, lane: str, number: int, event: RuntimeEvent) -> None:
        self.events.append(event)

    async def pace(self) -> None:
        await asyncio.sleep(0)

    async def once(self, place: str, work: Work) -> Any:
        return await work()

    def failure_at(self, place: str) -> BlockFailed | None:
        return None

    def keep_failure(self, place: str, failure: BlockFailed) -> None: ...

    async def ask(self, place: str, question: Question) -> Answer:
        self.questions.append(question)
        return self.answer(question)

    def lanes(self, more: int) -> None: ...

    @property
    def trace(self) -> list[str]:
        """The events as `entered node_x`."""
        return [f"{e.type.rpartition('.')[2]} {e.payload['node_id']}" for e in self.events]


async def run(
    module: ir.Module,
    run_input: Mapping[str, Any] | None = None,
    models: Any = None,
    max_blocks: int = 1000,
    flow: ir.Flow | None = None,
    cores: Any = None,
    answer: Answer | Callable[[Question], Answer] | None = None,
    plugins: Mapping[str, Plugin] | None = None,
) -> Outcome:
    outcome = Outcome()
    if answer is not None:
        outcome.answer = (lambda _: answer) if isinstance(answer, Answer) else answer
    execution = Run(
        module,
        flow or module.flows[0],
        run_input or {},
        models=models or ScriptedModels(),
        cores=cores or ScriptedCores(),
        plugins=plugins or {},
        record=outcome,
        people=outcome,
        traffic=outcome,
        budget=BlockBudget(max_blocks),
    )
    try:
        outcome.output = await execution.execute()
    except RunFailed as failed:
        outcome.failed = failed
    return outcome


async def output_of(*body: ir.AnyBlock, **given: Any) -> Any:
    """Return what the last node yields."""
    last = next(block.node_id for block in reversed(body) if block.node_id is not None)
    outcome = await run(a_module(*body, outputs=candidates(last), variables={"v": 0}), given)
    assert outcome.failed is None, outcome.failed
    return outcome.output


async def code_of(*body: ir.AnyBlock, **given: Any) -> str | None:
    failed = (await run(a_module(*body), given)).failed
    return failed.code if failed else None
