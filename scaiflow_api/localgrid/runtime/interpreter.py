"""Walks the blocks of one run.

Nothing a model answers is ever evaluated: expressions and templates come from the module alone.
"""

import time
from collections.abc import Mapping

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value, truthy
from scaiflow_api.localgrid.runtime import events
from scaiflow_api.localgrid.runtime.evaluation import equal, evaluated, rendered
from scaiflow_api.localgrid.runtime.failures import BlockFailed, RunFailed
from scaiflow_api.localgrid.runtime.model_block import ModelBlockRun
from scaiflow_api.localgrid.runtime.model_calls import Models
from scaiflow_api.localgrid.runtime.scope import Result, Scope, local_names

_BLOCKS_BETWEEN_YIELDS = 32


class Run:
    """One execution of one flow of a module. Use it once."""

    def __init__(
        self,
        module: ir.Module,
        flow: ir.Flow,
        run_input: Mapping[str, Value],
        *,
        models: Models,
        sink: events.Sink,
        max_blocks: int,
    ) -> None:
        self._module = module
        self._flow = flow
        self._input = run_input
        self._models = models
        self._sink = sink
        self._blocks_left = max_blocks
        self._scope = Scope(run_input, {v["name"]: v.get("default") for v in module.variables})

    async def execute(self) -> Value:
        """Run the flow and return its output. Raises RunFailed."""
        entry = next((t.node_id for t in self._module.triggers if t.target_flow == self._flow.name), None)
        self._scope.assign(ir.ENTRY_NAME, entry)
        if entry is not None:
            self._scope.record(Result(entry, dict(self._input)))
        await self._run_body(self._flow.body)
        return self._output()

    def _output(self) -> Value:
        assigned = self._scope.assigned_output
        if assigned is not None:
            return assigned[0]
        for candidate in self._flow.outputs:
            if self._scope.ran(candidate.node_id) and not any(map(self._scope.ran, candidate.successors)):
                return self._scope.value_of(candidate.node_id)
        return None

    async def _run_body(self, body: tuple[ir.AnyBlock, ...]) -> None:
        for block in body:
            await self._count()
            if isinstance(block, ir.MatchBlock):
                await self._run_body(self._choose(block))
            else:
                await self._run_step(block)

    async def _count(self) -> None:
        if self._blocks_left == 0:
            raise RunFailed("TOO_MANY_BLOCKS", "the run executed more blocks than this grid allows")
        self._blocks_left -= 1
        # Deterministic blocks never wait by themselves, not even for a time limit.
        if self._blocks_left % _BLOCKS_BETWEEN_YIELDS == 0:
            await self._sink.pace()

    # Blocks with a result

    async def _run_step(self, block: ir.RigidBlock | ir.GuardedBlock | ir.FlexibleBlock) -> None:
        if block.node_id is not None:
            self._sink.emit(events.block_entered(block))
        started = time.monotonic()
        try:
            value = await self._value_of(block)
        except BlockFailed as failure:
            handled = failure.handled or block.on_error == "continue"
            self._fail(block.kind, block.node_id, failure, handled=handled)
            value = None
        else:
            if block.node_id is not None:
                self._sink.emit(events.block_exited(block, value, _milliseconds_since(started)))
        if block.node_id is not None:
            declared = block.output_type if isinstance(block, ir.ModelBlock) else None
            self._scope.record(Result(block.node_id, value, block.result_binding, tuple(declared or ())))

    async def _value_of(self, block: ir.RigidBlock | ir.GuardedBlock | ir.FlexibleBlock) -> Value:
        data = self._data_values(block)
        if block.node_id is not None:
            self._scope.keep_local(block.node_id, data)
        if isinstance(block, ir.RigidBlock):
            return self._run_statements(block, data)
        call = ModelBlockRun(block, self._module, self._input, self._scope, self._models)
        return await call.execute(data)

    def _run_statements(self, block: ir.RigidBlock, data: Mapping[str, Value]) -> Value:
        value: Value = None
        for statement in block.statements:
            names = self._scope.names(data)
            if isinstance(statement, ir.AssignStatement):
                value = rendered(statement.value, names)
                self._scope.assign(statement.name, value)
            else:
                value = rendered(statement.expression, names)
        return value

    def _data_values(self, block: ir.AnyBlock) -> dict[str, Value]:
        return local_names(
            {port: self._scope.value_of(source) for port, source in block.data_bindings.items()}
        )

    # Matches

    def _choose(self, block: ir.MatchBlock) -> tuple[ir.AnyBlock, ...]:
        """Return the body to run next."""
        owner = block.node_id or block.source_location.node_id
        if block.node_id is not None:
            self._sink.emit(events.block_entered(block))
            self._scope.keep_local(block.node_id, self._data_values(block))
        started = time.monotonic()
        arm = self._first_arm(block, owner, self._scope.local_of(owner) if owner else {})
        if block.node_id is not None:
            self._scope.mark_ran(block.node_id)
            self._sink.emit(
                events.match_exited(block, arm.edge_id if arm else None, _milliseconds_since(started))
            )
        return arm.body if arm else block.else_body

    def _first_arm(
        self, block: ir.MatchBlock, owner: str | None, local: Mapping[str, Value]
    ) -> ir.MatchArm | None:
        subject = _Subject(block.subject)
        for arm in block.arms:
            names = self._scope.names(local)
            try:
                value = evaluated(arm.condition, names)
                holds = subject.equals(value, names) if arm.compares else truthy(value)
            except BlockFailed as failure:
                self._fail_match(block, owner, failure)
                continue
            if holds:
                return arm
        return None

    def _fail_match(self, block: ir.MatchBlock, owner: str | None, failure: BlockFailed) -> None:
        self._fail(block.kind, owner, failure, handled=block.on_error == "continue")
        if owner is not None:
            self._scope.nullify(owner)

    def _fail(self, kind: str, node_id: str | None, failure: BlockFailed, *, handled: bool) -> None:
        """Report an error; raise RunFailed unless it is handled."""
        if node_id is not None:
            self._sink.emit(
                events.block_failed(
                    kind, node_id, code=failure.code, message=failure.message, handled=handled
                )
            )
        if not handled:
            raise RunFailed(failure.code, failure.message, node_id) from failure


class _Subject:
    """A match's subject, evaluated when the first arm asks for it, and not again."""

    def __init__(self, text: str | None) -> None:
        self._text = text
        self._value: tuple[Value] | None = None

    def equals(self, other: Value, names: Mapping[str, Value]) -> bool:
        """Compare. Raises BlockFailed when the subject cannot be evaluated, but only once: then nothing equals it."""
        if self._text is not None:
            text, self._text = self._text, None
            self._value = (evaluated(text, names),)
        return self._value is not None and equal(other, self._value[0])


def _milliseconds_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
