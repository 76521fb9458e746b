"""From a sound flow document to the intermediate representation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.flow import FlowEdge, FlowNode, FlowView
from scaiflow_api.compiler.kinds.base import (
    Common,
    EntryConfig,
    EntryKind,
    FallibleConfig,
    NodeConfig,
    StepKind,
    Surroundings,
)
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig, compares
from scaiflow_api.compiler.placement import Arm, Choice, Guard, Item, Run, StartedBy, place
from scaiflow_api.compiler.slugs import distinct, slugify
from scaiflow_api.compiler.topology import entry_groups, rank_order
from scaiflow_api.expressions import unwrap

IDENTITY_PROVIDER = "scaikey"
MODE = "stateless"


def lower(view: FlowView) -> ir.Module:
    """Return the module of a flow without errors."""
    graph = view.graph
    slug = slugify(graph.name) or graph.id
    groups = entry_groups(view)
    names = distinct(_flow_names(view, slug, groups))
    ranked = rank_order(view)
    triggers = _triggers(
        view, [(entry, name) for (entries, _), name in zip(groups, names, strict=True) for entry in entries]
    )
    flows = tuple(
        _flow(view, name, entries, [node for node in ranked if node in reached])
        for (entries, reached), name in zip(groups, names, strict=True)
    )
    config: Mapping[str, Any] = view.document.get("config", {})
    return ir.Module(
        name=slug,
        version=graph.version,
        runtime_version=graph.scaicore_target,
        mode=MODE,
        identity=ir.Identity(provider=IDENTITY_PROVIDER, persona=graph.name),
        models=tuple(config.get("core_identity", {}).get("models", ())),
        plugins=tuple(_plugin(item) for item in config.get("plugins", ())),
        capabilities=_capabilities(config),
        scaiqueue=config.get("scaiqueue"),
        variables=tuple({"default": None, **item} for item in view.document.get("variables", ())),
        triggers=triggers,
        flows=flows,
        metadata=ir.Metadata(
            source_id=graph.id,
            source_version=graph.version,
            scaicore_target=graph.scaicore_target,
            publish_as_model=graph.config.publish_as_model,
            model_visibility_group_ids=tuple(graph.config.model_visibility_group_ids),
            graph=_graph(view),
        ),
    )


def _flow_names(view: FlowView, slug: str, groups: Sequence[tuple[list[int], set[int]]]) -> list[str]:
    further = [view.nodes[entries[0]] for entries, _ in groups[1:]]
    return [slug, *(f"{slug}-{_entry_slug(entry)}" for entry in further)]


def _entry_slug(entry: FlowNode) -> str:
    return slugify(entry.source.label) or entry.id


def _triggers(view: FlowView, started: list[tuple[int, str]]) -> tuple[ir.Trigger, ...]:
    names = distinct(_entry_slug(view.nodes[entry]) for entry, _ in started)
    triggers = []
    for (index, flow), name in zip(started, names, strict=True):
        entry, config = view.nodes[index], view.configs[index]
        assert isinstance(entry.kind, EntryKind)
        assert isinstance(config, EntryConfig)
        fields = config.trigger_fields()
        trigger = ir.Trigger(kind=entry.kind.trigger, name=name, target_flow=flow, node_id=entry.id, **fields)
        triggers.append(trigger)
    return tuple(triggers)


def _plugin(item: Any) -> Mapping[str, Any]:
    given = {"alias": item} if isinstance(item, str) else item
    return {"endpoint": f"plugin://{given['alias']}", **given}


def _capabilities(config: Mapping[str, Any]) -> tuple[Any, ...]:
    bunker = config.get("bunker")
    return (*config.get("capabilities", ()), *([{"bunker": bunker}] if bunker else ()))


def _graph(view: FlowView) -> dict[str, Any]:
    """Return all of the document, so that a manifest becomes the same flow again."""
    document = dict(view.document)
    nodes = document.pop("nodes", [])
    edges = {"edges": document.pop("edges")} if "edges" in document else {}
    return {
        "document": document,
        "node_order": [node["id"] for node in nodes],
        "nodes": {node["id"]: node for node in nodes},
        **edges,
    }


def _flow(view: FlowView, name: str, entries: list[int], ranked: list[int]) -> ir.Flow:
    placed = place(view, entries, ranked)
    flags = _flag_names(view, placed.flagged)
    body = _Blocks(view, flags).body(placed.body)
    if flags:
        unset = tuple(ir.AssignStatement(name=flag, value=False) for flag in flags.values())
        body = (ir.RigidBlock(statements=unset), *body)
    params: dict[str, str] = {}
    for entry in entries:
        config = view.configs[entry]
        assert isinstance(config, EntryConfig)
        params = {**(config.input_schema or {}), **params}
    return ir.Flow(name=name, params=params, body=body, outputs=_outputs(view, ranked))


def _flag_names(view: FlowView, flagged: Iterable[int]) -> dict[int, str]:
    nodes = list(flagged)
    names = distinct(f"{ir.RESERVED_PREFIX}run_{view.nodes[node].id.replace('-', '_')}" for node in nodes)
    return {node: name.replace("-", "_") for node, name in zip(nodes, names, strict=True)}


def _outputs(view: FlowView, ranked: list[int]) -> tuple[ir.OutputCandidate, ...]:
    candidates = []
    for node in reversed(ranked):
        kind = view.nodes[node].kind
        if isinstance(kind, StepKind) and kind.yields:
            followers = dict.fromkeys(view.nodes[edge.target].id for edge in view.control_out.get(node, ()))
            candidates.append(ir.OutputCandidate(node_id=view.nodes[node].id, successors=tuple(followers)))
    return tuple(candidates)


class _Blocks:
    """Writes placed nodes as blocks."""

    def __init__(self, view: FlowView, flags: Mapping[int, str]) -> None:
        self._view = view
        self._flags = flags
        identity = view.graph.config.core_identity
        models = (identity.models if identity else None) or []
        self._default_role = models[0].role if models else ""

    def body(self, items: Iterable[Item]) -> tuple[ir.AnyBlock, ...]:
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
        arm = ir.MatchArm(condition=self._flags[guard.node], edge_id=None, body=self.body(guard.body))
        return ir.MatchBlock(arms=(arm,))

    def _started_by(self, item: StartedBy) -> list[ir.AnyBlock]:
        arms = []
        for entry, items in item.bodies.items():
            body = self.body(items)
            if body:
                condition = orjson.dumps(self._view.nodes[entry].id).decode()
                arms.append(ir.MatchArm(condition=condition, edge_id=None, body=body, compares=True))
        return [ir.MatchBlock(subject=ir.ENTRY_NAME, arms=tuple(arms))] if arms else []

    def _run(self, run: Run) -> list[ir.AnyBlock]:
        node, config = self._view.nodes[run.node], self._view.configs[run.node]
        choices = list(run.choices)
        if isinstance(config, EntryConfig):
            blocks = _named_input(config)
        else:
            block = self._block(node, config)
            if isinstance(block, ir.MatchBlock) and choices:
                block = self._with_arms(block, choices.pop(0))
            blocks = [block]
        for choice in choices:
            blocks.append(self._with_arms(self._edge_match(node, config), choice))
        return [*blocks, *self._set_flags(run.always)]

    def _block(self, node: FlowNode, config: NodeConfig) -> ir.AnyBlock:
        assert isinstance(node.kind, StepKind)
        common = Common(
            node_id=node.id,
            result_binding=config.result_binding,
            source_location=ir.SourceLocation(node_id=node.id),
            data_bindings={
                edge.target_port: self._view.nodes[edge.source].id
                for edge in self._view.data_in.get(node.index, ())
            },
        )
        return node.kind.lower(config, Surroundings(common, self._default_role))

    def _edge_match(self, node: FlowNode, config: NodeConfig) -> ir.MatchBlock:
        """Return the match, still without arms, that tests the conditions on a node's edges."""
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
        return (*self._set_flags(arm.edges), *self.body(arm.body))

    def _set_flags(self, edges: Iterable[FlowEdge]) -> list[ir.AnyBlock]:
        names = dict.fromkeys(self._flags[edge.target] for edge in edges if edge.target in self._flags)
        if not names:
            return []
        return [ir.RigidBlock(statements=tuple(ir.AssignStatement(name=name, value=True) for name in names))]


def _named_input(config: EntryConfig) -> list[ir.AnyBlock]:
    """An entry has no block of its own; the name that its result is given becomes a variable."""
    if config.result_binding is None:
        return []
    return [ir.RigidBlock(statements=(ir.AssignStatement(name=config.result_binding, value="{{ input }}"),))]
