"""Writes placed nodes as blocks of the intermediate representation."""

from collections.abc import Iterable, Sequence

import orjson
from msgspec.structs import replace

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.graph.flow import FlowEdge, FlowNode, FlowView
from scaiflow_api.compiler.graph.regions import Region, Regions
from scaiflow_api.compiler.kinds.base import (
    Common,
    EntryConfig,
    FallibleConfig,
    NodeConfig,
    StepKind,
)
from scaiflow_api.compiler.kinds.checkpoint import BREAKPOINT
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig, compares
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT
from scaiflow_api.compiler.lowering.placement import Arm, Choice, Guard, Item, Placed, Run, StartedBy
from scaiflow_api.compiler.lowering.surroundings import FlowSurroundings
from scaiflow_api.compiler.slugs import distinct
from scaiflow_api.expressions import unwrap


class Blocks:
    """Writes the flows of one document."""

    def __init__(self, view: FlowView, regions: Regions, flagged: Iterable[int]) -> None:
        self._view = view
        self._regions = regions
        self._flags = _flag_names(view, sorted(flagged, key=regions.rank.__getitem__))
        self._around = FlowSurroundings(view)
        self._plugins: dict[str, None] = {}

    @property
    def plugins(self) -> Iterable[str]:
        """The plugins that are called by what has been written, in the order of first use."""
        return self._plugins

    def body(self, placed: Placed) -> tuple[ir.AnyBlock, ...]:
        """Return the body of a flow, a round or a branch."""
        blocks: list[ir.AnyBlock] = []
        if placed.flagged:
            blocks.append(_assign((self._flags[node] for node in placed.flagged), value=False))
        if placed.opening is not None:
            blocks += self._leave(placed.opening.node, placed.opening.choices)
            blocks += self._set_flags(placed.opening.always)
        return (*blocks, *self._items(placed.body))

    def outputs(self, nodes: Iterable[int]) -> tuple[ir.OutputCandidate, ...]:
        """Return what a body whose frame has these nodes, given by rank, may yield."""
        candidates = []
        every = self._view.nodes
        for index in reversed(list(nodes)):
            node = every[index]
            if isinstance(node.kind, StepKind) and node.kind.yields:
                followers = dict.fromkeys([every[edge.target].id for edge in self._next(node)])
                candidates.append(ir.OutputCandidate(node_id=node.id, successors=tuple(followers)))
        return tuple(candidates)

    def _next(self, node: FlowNode) -> list[FlowEdge]:
        edges = self._view.control_out.get(node.index, [])
        if node.type == "logic_loop":
            return [edge for edge in edges if edge.source_port != BODY_PORT]
        return edges

    def _items(self, items: Iterable[Item]) -> tuple[ir.AnyBlock, ...]:
        blocks: list[ir.AnyBlock] = []
        for item in items:
            match item:
                case Run():
                    blocks += self._run(item)
                case Guard():
                    blocks.append(self._guard(item))
                case StartedBy():
                    blocks += self._started_by(item)
        return tuple(blocks)

    def _guard(self, guard: Guard) -> ir.MatchBlock:
        arm = ir.MatchArm(condition=self._flags[guard.node], edge_id=None, body=self._items(guard.body))
        return ir.MatchBlock(arms=(arm,))

    def _started_by(self, item: StartedBy) -> list[ir.AnyBlock]:
        arms = []
        for entry, items in item.bodies.items():
            body = self._items(items)
            if body:
                condition = orjson.dumps(self._view.nodes[entry].id).decode()
                arms.append(ir.MatchArm(condition=condition, edge_id=None, body=body, compares=True))
        return [ir.MatchBlock(subject=ir.ENTRY_NAME, arms=tuple(arms))] if arms else []

    def _run(self, run: Run) -> list[ir.AnyBlock]:
        node, config = self._view.nodes[run.node], self._view.configs[run.node]
        choices = run.choices
        blocks: list[ir.AnyBlock] = []
        if config.breakpoint:
            here = ir.SourceLocation(node_id=node.id)
            blocks.append(ir.CheckpointBlock(checkpoint_type=BREAKPOINT, source_location=here))
        if isinstance(config, EntryConfig):
            blocks += _named_input(node, config)
        else:
            block = self._block(node, config, run)
            if isinstance(block, ir.MatchBlock) and choices:
                block = self._with_arms(block, choices[0])
                choices = choices[1:]
            blocks.append(block)
        blocks += self._leave(run.node, choices)
        blocks += self._set_flags(run.always)
        return blocks

    def _leave(self, node: int, choices: Sequence[Choice]) -> list[ir.AnyBlock]:
        return [self._with_arms(self._edge_match(node), choice) for choice in choices]

    def _block(self, node: FlowNode, config: NodeConfig, run: Run) -> ir.AnyBlock:
        assert isinstance(node.kind, StepKind)
        here = ir.SourceLocation(node_id=node.id)
        data_in = self._view.data_in.get(node.index)
        common = Common(
            node_id=node.id,
            result_binding=config.result_binding,
            source_location=here,
            data_bindings={edge.target_port: self._view.nodes[edge.source].id for edge in data_in}
            if data_in
            else {},
        )
        block = node.kind.lower(config, self._around.of(node.index, common))
        if isinstance(block, ir.RigidBlock):
            self._note_plugins(block)
        if run.bodies:
            block = self._with_bodies(node, block, run.bodies)
        handled = isinstance(config, FallibleConfig) and config.on_error == "continue"
        if handled and not isinstance(block, ir.MatchBlock):
            return ir.TryBlock(source_location=here, body=(block,))
        return block

    def _note_plugins(self, block: ir.RigidBlock) -> None:
        for statement in block.statements:
            if isinstance(statement, ir.PluginCallStatement):
                self._plugins.setdefault(statement.alias)

    def _with_bodies(self, node: FlowNode, block: ir.AnyBlock, bodies: Sequence[Placed]) -> ir.AnyBlock:
        regions = self._regions.of(node.index)
        match block:
            case ir.ForeachBlock() | ir.WhileBlock():
                outputs = self.outputs(self._regions.frame(regions[0])) if block.collect is None else ()
                return replace(block, body=self.body(bodies[0]), outputs=outputs)
            case ir.ParallelBlock():
                branches = tuple(
                    ir.Branch(edge_id=region.edge.id if region.edge else None, body=self.body(placed))
                    for region, placed in zip(regions, bodies, strict=True)
                )
                return replace(block, branches=branches, merge_order=self._merge_order(regions))
            case _:
                return block

    def _merge_order(self, regions: Iterable[Region]) -> tuple[str, ...]:
        nodes = [node for region in regions for node in self._regions.frame(region)]
        nodes.sort(key=self._regions.rank.__getitem__)
        return tuple(self._view.nodes[node].id for node in nodes)

    def _edge_match(self, index: int) -> ir.MatchBlock:
        """Return the match, still without arms, that tests the conditions on a node's edges."""
        node, config = self._view.nodes[index], self._view.configs[index]
        on_error = config.on_error if isinstance(config, FallibleConfig) else "fail"
        subject = None
        if isinstance(config, LogicDecisionConfig) and config.style == "match" and config.subject is not None:
            subject = unwrap(config.subject)[0]
        return ir.MatchBlock(
            source_location=ir.SourceLocation(node_id=node.id), subject=subject, arms=(), on_error=on_error
        )

    def _with_arms(self, match: ir.MatchBlock, choice: Choice) -> ir.MatchBlock:
        arms = tuple(self._arm(match, arm) for arm in choice.arms)
        otherwise = self._arm_body(choice.fall_through) if choice.fall_through else ()
        return replace(match, arms=arms, else_body=otherwise)

    def _arm(self, match: ir.MatchBlock, arm: Arm) -> ir.MatchArm:
        (edge,) = arm.edges
        condition = unwrap(edge.condition or "")[0]
        by_value = match.subject is not None and compares(condition)
        return ir.MatchArm(condition=condition, edge_id=edge.id, body=self._arm_body(arm), compares=by_value)

    def _arm_body(self, arm: Arm) -> tuple[ir.AnyBlock, ...]:
        return (*self._set_flags(arm.edges), *self._items(arm.body))

    def _set_flags(self, edges: Iterable[FlowEdge]) -> list[ir.AnyBlock]:
        if not self._flags:
            return []
        names = dict.fromkeys([self._flags[edge.target] for edge in edges if edge.target in self._flags])
        return [_assign(names, value=True)] if names else []


def _flag_names(view: FlowView, nodes: Sequence[int]) -> dict[int, str]:
    names = distinct(f"{ir.RESERVED_PREFIX}run_{view.nodes[node].id.replace('-', '_')}" for node in nodes)
    return {node: name.replace("-", "_") for node, name in zip(nodes, names, strict=True)}


def _assign(names: Iterable[str], *, value: bool) -> ir.RigidBlock:
    return ir.RigidBlock(statements=tuple(ir.AssignStatement(name=name, value=value) for name in names))


def _named_input(entry: FlowNode, config: EntryConfig) -> list[ir.AnyBlock]:
    """An entry has no block of its own; the name that its result is given becomes a variable."""
    if config.result_binding is None:
        return []
    assigned = ir.AssignStatement(name=config.result_binding, value="{{ input }}")
    return [ir.RigidBlock(source_location=ir.SourceLocation(node_id=entry.id), statements=(assigned,))]
