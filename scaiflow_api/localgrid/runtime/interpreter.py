"""Walks the blocks of one run.

Nothing a model answers is ever evaluated: expressions and templates come from the module alone.
"""

import time
from collections.abc import Mapping
from typing import TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime import events
from scaiflow_api.localgrid.runtime.budget import BlockBudget
from scaiflow_api.localgrid.runtime.checkpoint_block import run_checkpoint
from scaiflow_api.localgrid.runtime.core_call import Cores, run_core_call
from scaiflow_api.localgrid.runtime.failures import BlockFailed, RunFailed
from scaiflow_api.localgrid.runtime.frame import Frame, Variables
from scaiflow_api.localgrid.runtime.lane import Lane, People, Record, Traffic
from scaiflow_api.localgrid.runtime.loop_block import run_foreach, run_while
from scaiflow_api.localgrid.runtime.match_block import first_arm
from scaiflow_api.localgrid.runtime.model_block import ModelBlockRun
from scaiflow_api.localgrid.runtime.model_calls import Models
from scaiflow_api.localgrid.runtime.names import Result, local_names
from scaiflow_api.localgrid.runtime.parallel_block import run_parallel
from scaiflow_api.localgrid.runtime.plugin_call import Plugin
from scaiflow_api.localgrid.runtime.rigid_block import run_statements

_Step: TypeAlias = (
    ir.RigidBlock
    | ir.GuardedBlock
    | ir.FlexibleBlock
    | ir.ForeachBlock
    | ir.WhileBlock
    | ir.ParallelBlock
    | ir.CheckpointBlock
    | ir.CoreCallBlock
)
"""Blocks that are entered and left; the others only choose which block runs."""


class Run:
    """One execution of one flow of a module. Use it once. Implements `Walker`."""

    def __init__(
        self,
        module: ir.Module,
        flow: ir.Flow,
        run_input: Mapping[str, Value],
        *,
        models: Models,
        cores: Cores,
        plugins: Mapping[str, Plugin],
        record: Record,
        people: People,
        traffic: Traffic,
        budget: BlockBudget,
    ) -> None:
        self._module = module
        self._flow = flow
        self._input = run_input
        self._models = models
        self._cores = cores
        self._plugins = plugins
        self._record = record
        self._lane = Lane(record, people, traffic)
        self._budget = budget

    async def execute(self) -> Value:
        """Run the flow and return its output. Raises RunFailed."""
        variables = Variables({v["name"]: v.get("default") for v in self._module.variables})
        frame = Frame(self._input, variables, self._lane)
        entry = next((t.node_id for t in self._module.triggers if t.target_flow == self._flow.name), None)
        variables.assign(ir.ENTRY_NAME, entry)
        if entry is not None:
            frame.record(Result(entry, dict(self._input)))
        try:
            await self.run_body(self._flow.body, frame)
        except BlockFailed as failure:
            raise RunFailed(failure.code, failure.message, failure.node_id) from failure
        if "output" in variables.assigned:
            return variables.assigned["output"]
        return frame.output(self._flow.outputs)

    async def run_body(self, body: tuple[ir.AnyBlock, ...], frame: Frame) -> None:
        """Run the blocks of a body in order. Raises BlockFailed, or RunFailed when the run may not go on."""
        for block in body:
            await self._run_block(block, frame)

    async def spend(self) -> None:
        """Take one block from the run's budget. Raises RunFailed."""
        if self._budget.spend():
            await self._record.pace()

    async def _run_block(self, block: ir.AnyBlock, frame: Frame, *, tolerated: bool = False) -> None:
        """Run a block. `tolerated`: the block around it goes on when it fails."""
        await self.spend()
        if isinstance(block, ir.TryBlock):
            await self._try(block, frame)
        elif isinstance(block, ir.MatchBlock):
            await self.run_body(self._choose(block, frame, tolerated), frame)
        else:
            await self._run_step(block, frame, tolerated)

    async def _try(self, block: ir.TryBlock, frame: Frame) -> None:
        try:
            for inner in block.body:
                await self._run_block(inner, frame, tolerated=True)
        except BlockFailed:
            for inner in block.body:
                _note(inner, None, frame)
        else:
            return
        await self.run_body(block.catch, frame)

    # Blocks that do something

    async def _run_step(self, block: _Step, frame: Frame, tolerated: bool) -> None:
        if block.node_id is not None:
            frame.lane.emit(events.block_entered(block, frame.iteration))
        started = time.monotonic()
        try:
            value = await self._value_of(block, frame)
        except BlockFailed as failure:
            self._fail(block, frame, failure, tolerated)
            value = None
        else:
            if block.node_id is not None:
                frame.lane.emit(
                    events.block_exited(block, frame.iteration, value, _milliseconds_since(started))
                )
        _note(block, value, frame)

    async def _value_of(self, block: _Step, frame: Frame) -> Value:
        data = _data_values(block, frame)
        if block.node_id is not None:
            frame.keep_local(block.node_id, data)
        match block:
            case ir.RigidBlock():
                return await run_statements(block, frame, data, self._plugins)
            case ir.ForeachBlock():
                return await run_foreach(block, frame, data, self)
            case ir.WhileBlock():
                return await run_while(block, frame, data, self)
            case ir.ParallelBlock():
                await run_parallel(block, frame, self)
                return None
            case ir.CoreCallBlock():
                return await run_core_call(block, frame, data, self._cores)
            case ir.CheckpointBlock():
                return await run_checkpoint(block, self._flow, frame, data)
        call = ModelBlockRun(block, self._module, self._flow, self._input, frame, self._models)
        return await call.execute(data)

    # Matches

    def _choose(self, block: ir.MatchBlock, frame: Frame, tolerated: bool) -> tuple[ir.AnyBlock, ...]:
        """Return the body to run next. Raises BlockFailed."""
        if block.node_id is not None:
            frame.lane.emit(events.block_entered(block, frame.iteration))
            frame.keep_local(block.node_id, _data_values(block, frame))
        started = time.monotonic()
        arm = first_arm(block, frame, lambda failure: self._fail(block, frame, failure, tolerated))
        if block.node_id is not None:
            frame.mark_ran(block.node_id)
            edge_id = arm.edge_id if arm else None
            frame.lane.emit(
                events.match_exited(block, frame.iteration, edge_id, _milliseconds_since(started))
            )
        return arm.body if arm else block.else_body

    # Failures

    def _fail(self, block: ir.AnyBlock, frame: Frame, failure: BlockFailed, tolerated: bool) -> None:
        """Report an error; return when the block itself goes on, else raise it for the blocks around."""
        goes_on = failure.handled or (isinstance(block, ir.MatchBlock) and block.on_error == "continue")
        owner = block.node_id or block.source_location.node_id
        if owner is not None:
            frame.lane.emit(
                events.block_failed(
                    block,
                    frame.iteration,
                    code=failure.code,
                    message=failure.message,
                    handled=goes_on or tolerated,
                )
            )
        if not goes_on:
            raise failure.at(owner)


def _data_values(block: ir.AnyBlock, frame: Frame) -> dict[str, Value]:
    return local_names({port: frame.value_of(source) for port, source in block.data_bindings.items()})


def _note(block: ir.AnyBlock, value: Value, frame: Frame) -> None:
    """Remember that a block ran and what it yielded."""
    result_id = block.result_id
    if result_id is None:
        return
    if isinstance(block, ir.MatchBlock | ir.ParallelBlock):
        frame.mark_ran(result_id)
        return
    declared = block.output_type if isinstance(block, ir.ModelBlock) else None
    frame.record(Result(result_id, value, block.result_binding, tuple(declared or ())))


def _milliseconds_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
