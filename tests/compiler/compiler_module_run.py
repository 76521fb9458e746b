"""Runs a compiled flow block by block: the smallest runtime that the IR allows. It knows nothing of the document."""

from compiler.compiler_trace import (
    JSON,
    Memory,
    Result,
    RunFailed,
    Trace,
    answer_of_a_model,
    holds,
    text_of,
    value_of,
)

from scaiflow_api.compiler import ir


class ModuleRun:
    """One run of a module, which begins at one trigger."""

    def __init__(self, module: ir.Module, entry: str, given: JSON) -> None:
        trigger = next(item for item in module.triggers if item.node_id == entry)
        self.flow = next(item for item in module.flows if item.name == trigger.target_flow)
        variables = {item["name"]: item["default"] for item in module.variables}
        self.memory = Memory(given, {**variables, ir.ENTRY_NAME: entry})
        self.memory.results[entry] = Result(given)
        self.trace = Trace()

    def run(self) -> Trace:
        try:
            self.body(self.flow.body, self.memory)
        except RunFailed:
            self.trace.failed = True
        else:
            output = self.output(self.flow.outputs, self.memory)
            self.trace.output = self.memory.variables.get("output", output)
        self.trace.variables = {
            name: value
            for name, value in self.memory.variables.items()
            if not name.startswith(ir.RESERVED_PREFIX)
        }
        return self.trace

    def body(self, blocks: tuple[ir.AnyBlock, ...], memory: Memory) -> None:
        for block in blocks:
            if block.node_id is not None:
                assert block.node_id not in memory.ran, "a node runs once"
                self.trace.ran.append(block.node_id)
                self.trace.data.append(memory.bind_data(block.node_id, dict(block.data_bindings)))
            match block:
                case ir.MatchBlock():
                    self.match(block, memory)
                case ir.ParallelBlock():
                    self.parallel(block, memory)
                case ir.TryBlock():
                    self.attempt(block, memory)
                case _:
                    self.record(block, self.value(block, memory), memory)

    def record(self, block: ir.AnyBlock, value: JSON, memory: Memory) -> None:
        if block.node_id is not None:
            fields = block.output_type if isinstance(block, ir.ModelBlock) else None
            memory.record(block.node_id, Result(value, block.result_binding, tuple(fields or ())))

    def value(self, block: ir.AnyBlock, memory: Memory) -> JSON:
        match block:
            case ir.RigidBlock():
                return self.statements(block, memory)
            case ir.ModelBlock():
                return answer_of_a_model(str(block.node_id))
            case ir.ForeachBlock():
                return self.foreach(block, memory)
            case ir.WhileBlock():
                return self.repeat(block, memory)
            case _:
                raise NotImplementedError(block.kind)

    def statements(self, block: ir.RigidBlock, memory: Memory) -> JSON:
        value = None
        for statement in block.statements:
            names = memory.names(block.node_id)
            match statement:
                case ir.AssignStatement():
                    value = text_of(statement.value, names)
                    memory.assign(statement.name, value)
                case ir.ExpressionStatement():
                    value = text_of(statement.expression, names)
                case _:
                    raise NotImplementedError(statement.kind)
        return value

    def attempt(self, block: ir.TryBlock, memory: Memory) -> None:
        (tried,) = block.body
        try:
            self.body(block.body, memory)
        except RunFailed:
            self.record(tried, None, memory)
            self.body(block.catch, memory)

    # Matches

    def match(self, block: ir.MatchBlock, memory: Memory) -> None:
        arm = next((arm for arm in block.arms if self.holds(block, arm, memory)), None)
        if block.node_id is not None:
            memory.ran.add(block.node_id)
        if arm is not None and arm.edge_id is not None:
            self.trace.chosen.append(arm.edge_id)
        self.body(block.else_body if arm is None else arm.body, memory)

    def holds(self, block: ir.MatchBlock, arm: ir.MatchArm, memory: Memory) -> bool:
        node_id = block.source_location.node_id
        names = memory.names(node_id)
        try:
            if arm.compares:
                assert block.subject is not None
                return holds(f"({block.subject}) == ({arm.condition})", names)
            return holds(arm.condition, names)
        except RunFailed:
            if block.on_error != "continue":
                raise
            memory.nullify(str(node_id))
            return False

    # What runs at the same time

    def parallel(self, block: ir.ParallelBlock, memory: Memory) -> None:
        copies: list[Memory] = []
        failure = None
        for branch in block.branches:
            copies.append(memory.copy())
            try:
                self.body(branch.body, copies[-1])
            except RunFailed as failed:
                self.trace.cut_short = True
                failure = failed
                if block.fail_fast:
                    break
        if failure is not None:
            raise failure
        if block.node_id is not None:
            memory.ran.add(block.node_id)
        for node_id in block.merge_order:
            for copy in copies:
                if node_id in copy.results and node_id not in memory.results:
                    memory.record(node_id, copy.results[node_id])
        for copy in copies:
            memory.ran |= copy.ran
            memory.merge_variables(copy)

    # Loops

    def foreach(self, block: ir.ForeachBlock, memory: Memory) -> JSON:
        items = value_of(block.items, memory.names(block.node_id))
        if not isinstance(items, list):
            raise RunFailed
        concurrent = block.max_concurrent > 1
        outputs, rounds = [], []
        for index, item in enumerate(items):
            if block.max_iterations is not None and index == block.max_iterations:
                raise RunFailed
            named = {block.item_var: item}
            if block.index_var is not None:
                named[block.index_var] = index
            rounds.append((memory.copy() if concurrent else memory).round(named))
            try:
                outputs.append(self.round(block, rounds[-1]))
            except RunFailed:
                self.trace.cut_short |= concurrent
                raise
        for own in rounds if concurrent else ():
            memory.merge_variables(own)
        return outputs

    def repeat(self, block: ir.WhileBlock, memory: Memory) -> JSON:
        last, output, count = memory, None, 0
        while holds(block.condition, last.names(block.node_id)):
            if count == block.max_iterations:
                raise RunFailed
            last = memory.round({})
            output = self.round(block, last)
            count += 1
        return output

    def round(self, block: ir.LoopBlock, memory: Memory) -> JSON:
        self.body(block.body, memory)
        if block.collect is not None:
            return value_of(block.collect, memory.names(block.node_id))
        return self.output(block.outputs, memory)

    def output(self, candidates: tuple[ir.OutputCandidate, ...], memory: Memory) -> JSON:
        for candidate in candidates:
            if candidate.node_id in memory.ran and not memory.ran.intersection(candidate.successors):
                return memory.results[candidate.node_id].value
        return None
