"""What a compiled module tells of the graph that it was made of, and whether a document is such a graph."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.check import Checked
from scaiflow_api.compiler.importing.flags import is_flag
from scaiflow_api.compiler.importing.leading import Followers
from scaiflow_api.compiler.importing.recognition import CALLS, kind_of
from scaiflow_api.compiler.kinds import KINDS, StepKind
from scaiflow_api.compiler.lowering.lower import lower
from scaiflow_api.expressions import unwrap


class Outline(Struct, frozen=True):
    """Which nodes have steps, and which edges begin arms or branches."""

    steps: Sequence[str]
    arms: Mapping[str, str | None]
    """By id of an edge the condition of the arm; None for a branch."""

    def names_the_same(self, other: "Outline") -> bool:
        return set(self.steps) == set(other.steps) and self.arms.keys() == other.arms.keys()


def outline_of(blocks: Iterable[ir.AnyBlock]) -> Outline:
    """Return the outline of a module with these blocks."""
    steps: list[str] = []
    arms: dict[str, str | None] = {}
    for block in blocks:
        if block.node_id is not None:
            steps.append(block.node_id)
        match block:
            case ir.MatchBlock():
                arms.update({arm.edge_id: arm.condition for arm in block.arms if arm.edge_id is not None})
            case ir.ParallelBlock():
                ids = (branch.edge_id for branch in block.branches)
                arms.update({edge_id: None for edge_id in ids if edge_id is not None})
    return Outline(steps, arms)


def outline_due(checked: Checked) -> Outline | None:
    """Return the outline of the module that a document is lowered to; None for one with errors."""
    sound = checked.sound
    if checked.sink.has_errors or sound is None or sound.regions is None:
        return None
    view, regions = sound.view, sound.regions
    steps: list[str] = []
    arms: dict[str, str | None] = {}
    for entries, reached in view.groups:
        inside = sorted(reached, key=regions.rank.__getitem__)
        steps += [view.nodes[index].id for index in inside]
        for index in (*entries, *inside):
            for region in regions.of(index):
                if region.edge is not None:
                    arms[region.edge.id] = None
            for way_out in view.exits.get(index, ()):
                arms.update({edge.id: unwrap(edge.condition or "")[0] for edge in way_out.conditional})
    return Outline(steps, arms)


def lowered(checked: Checked) -> ir.Module | None:
    """Return the module of a document; None for one with errors."""
    sound = checked.sound
    if checked.sink.has_errors or sound is None or sound.regions is None:
        return None
    return lower(sound.view, sound.regions)


def followers_of(module: ir.Module) -> Followers:
    """Return the nodes with values, and where their control edges lead: what is returned depends on it."""
    outputs = [item for flow in module.flows for item in flow.outputs]
    for block in module.blocks():
        if isinstance(block, ir.LoopBlock):
            outputs += block.outputs
    return {item.node_id: item.successors for item in outputs}


def is_outdated(followers: Followers, module: ir.Module) -> bool:
    """Return whether steps with values came or went since a module told where they lead."""
    frames = [flow.body for flow in module.flows]
    blocks = module.blocks()
    frames += [block.body for block in blocks if isinstance(block, ir.LoopBlock) and block.collect is None]
    kept = {node_id for body in frames for node_id in ir.frame_nodes(body)}
    # A call of a plugin may be that of a node with or without a value.
    unsure = {block.node_id for block in blocks if kind_of(block) in CALLS.values()}
    yielding = {block.node_id for block in blocks if _yields(block)}
    return not (kept & yielding - unsure <= followers.keys() <= kept & (yielding | unsure))


def _yields(block: ir.AnyBlock) -> bool:
    kind = KINDS.get(kind_of(block) or "")
    return isinstance(kind, StepKind) and kind.yields


def do_the_same(module: ir.Module, other: ir.Module) -> bool:
    """Return whether the flows of two modules are the same, but for what has no order."""
    return are_same(module.flows, other.flows) or are_same(_ordered(module), _ordered(other))


_SORTED = msgspec.msgpack.Encoder(order="sorted")


def are_same(part: object, other: object) -> bool:
    """Return whether two modules, or two parts of modules, are the same JSON; `true` is not 1, as `==` has it."""
    if part != other:
        return False
    try:
        return _SORTED.encode(part) == _SORTED.encode(other)
    except (TypeError, ValueError, OverflowError):
        # What no format holds, such as a huge number or a date, which YAML knows.
        return True


def _ordered(module: ir.Module) -> list[ir.Flow]:
    """Return the flows with flags by name where several are set at once, and successors by id."""
    return [
        replace(flow, body=_ordered_body(flow.body), outputs=_ordered_outputs(flow.outputs))
        for flow in module.flows
    ]


def _ordered_body(body: tuple[ir.AnyBlock, ...]) -> tuple[ir.AnyBlock, ...]:
    return tuple([_ordered_block(block) for block in body])


def _ordered_block(block: ir.AnyBlock) -> ir.AnyBlock:
    match block:
        case ir.RigidBlock():
            flags = [
                item
                for item in block.statements
                if isinstance(item, ir.AssignStatement) and is_flag(item.name)
            ]
            if len(flags) < 2 or len(flags) < len(block.statements):
                return block
            return replace(block, statements=tuple(sorted(flags, key=lambda item: item.name)))
        case ir.MatchBlock():
            arms = tuple([replace(arm, body=_ordered_body(arm.body)) for arm in block.arms])
            return replace(block, arms=arms, else_body=_ordered_body(block.else_body))
        case ir.ForeachBlock() | ir.WhileBlock():
            return replace(block, body=_ordered_body(block.body), outputs=_ordered_outputs(block.outputs))
        case ir.ParallelBlock():
            branches = [replace(branch, body=_ordered_body(branch.body)) for branch in block.branches]
            return replace(block, branches=tuple(branches))
        case ir.TryBlock():
            return replace(block, body=_ordered_body(block.body), catch=_ordered_body(block.catch))
        case _:
            return block


def _ordered_outputs(outputs: tuple[ir.OutputCandidate, ...]) -> tuple[ir.OutputCandidate, ...]:
    return tuple([replace(item, successors=tuple(sorted(item.successors))) for item in outputs])
