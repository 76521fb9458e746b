"""How a module hangs together: names, bounds, and what may stand where (all codes but E412 and E417)."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.pause import RESOLVE, check_timeout_option
from scaiflow_api.compiler.verifier.violation import Violation

TRIGGER_KINDS = ("api", "webhook", "schedule")
RUNTIME_PLUGINS = frozenset({"http", "scaiqueue", "scaibunker"})
MODEL_PLUGIN = "llm"
TIMEOUT_ACTIONS = ("fail", "escalate", "continue")


def check_structure(module: ir.Module) -> Iterator[Violation]:
    return _Structure(module).violations()


class _Structure:
    def __init__(self, module: ir.Module) -> None:
        self._module = module
        self._roles = {role for model in module.models if isinstance(role := model.get("role"), str)}
        self._plugins = RUNTIME_PLUGINS.union(str(plugin.get("alias")) for plugin in module.plugins)
        self._model_plugins = {MODEL_PLUGIN}.union(
            str(plugin.get("alias"))
            for plugin in module.plugins
            if plugin.get("endpoint") == f"plugin://{MODEL_PLUGIN}"
        )
        graph = module.metadata.graph
        nodes = graph.get("nodes") if isinstance(graph, dict) else None
        known = nodes if isinstance(nodes, dict) else ()
        self._producers = {trigger.node_id for trigger in module.triggers}.union(
            known, *(_node_ids(flow.body) for flow in module.flows)
        )

    def violations(self) -> Iterator[Violation]:
        yield from self._entity_key()
        names = Counter(flow.name for flow in self._module.flows)
        for index, trigger in enumerate(self._module.triggers):
            yield from self._trigger(trigger, names, f"triggers[{index}]")
        for index, flow in enumerate(self._module.flows):
            path = f"flows[{index}]"
            if names[flow.name] > 1:
                yield Violation("E415", f"Several flows have the name '{flow.name}'.", f"{path}.name")
            yield from self._unique_nodes(flow, path)
            for place, block in _placed(flow.body, f"{path}.body"):
                yield from self._block(block, place)
            yield from self._outputs(flow.outputs, _node_ids(flow.body), f"{path}.outputs")

    def _entity_key(self) -> Iterator[Violation]:
        key = self._module.entity_key
        if self._module.mode == "entity" and key is None:
            yield Violation("E402", "A Core of mode 'entity' must have an entity key.", "entity_key")
        declared = [flow.params for flow in self._module.flows]
        if key is not None and declared and all(params and key not in params for params in declared):
            yield Violation("E402", f"No flow's input carries the entity key '{key}'.", "entity_key")

    def _trigger(self, trigger: ir.Trigger, flows: Container[str], path: str) -> Iterator[Violation]:
        if trigger.kind not in TRIGGER_KINDS:
            known = ", ".join(TRIGGER_KINDS)
            yield Violation("E410", f"The trigger kind '{trigger.kind}' is none of {known}.", f"{path}.kind")
        if trigger.target_flow not in flows:
            message = (
                f"The trigger '{trigger.name}' starts the flow '{trigger.target_flow}', which does not exist."
            )
            yield Violation("E410", message, f"{path}.target_flow")

    def _unique_nodes(self, flow: ir.Flow, path: str) -> Iterator[Violation]:
        seen: set[str] = set()
        for place, block in _placed(flow.body, f"{path}.body"):
            if block.node_id is None:
                continue
            if block.node_id in seen:
                yield Violation("E415", f"Several blocks have the node id '{block.node_id}'.", place)
            seen.add(block.node_id)

    def _outputs(
        self, outputs: Iterable[ir.OutputCandidate], level: set[str], path: str
    ) -> Iterator[Violation]:
        for index, output in enumerate(outputs):
            place = f"{path}[{index}]"
            if output.node_id not in level:
                yield _no_producer("The output", output.node_id, place)
            for node_id in output.successors:
                if node_id not in self._producers:
                    yield _no_producer("A successor of the output", node_id, place)

    def _block(self, block: ir.AnyBlock, path: str) -> Iterator[Violation]:
        for port, node_id in block.data_bindings.items():
            if node_id not in self._producers:
                yield _no_producer(f"The data value '{port}'", node_id, f"{path}.data_bindings")
        match block:
            case ir.RigidBlock():
                for index, statement in enumerate(block.statements):
                    yield from self._statement(statement, f"{path}.statements[{index}]")
            case ir.GuardedBlock() | ir.FlexibleBlock() if block.llm_role not in self._roles:
                message = f"The model registry has no role '{block.llm_role}'."
                yield Violation("E413", message, f"{path}.llm_role")
            case ir.ForeachBlock() | ir.WhileBlock():
                yield from _loop_bounds(block, path)
                yield from self._outputs(block.outputs, _node_ids(block.body), f"{path}.outputs")
            case ir.ParallelBlock():
                yield from _bound(block.max_concurrent, f"{path}.max_concurrent")
                yield from _merge_order(block, path)
            case ir.CheckpointBlock():
                yield from _timeout(block, path)
            case ir.TryBlock() if len(block.body) != 1:
                message = f"A try block must hold one block, not {len(block.body)}."
                yield Violation("E419", message, f"{path}.body")

    def _statement(self, statement: object, path: str) -> Iterator[Violation]:
        match statement:
            case ir.ExpressionStatement() | ir.AssignStatement():
                return
            case ir.PluginCallStatement(alias=alias):
                if alias in self._model_plugins:
                    yield Violation("E405", f"The plugin '{alias}' calls a model in a rigid block.", path)
                elif alias not in self._plugins:
                    yield Violation("E416", f"The module declares no plugin '{alias}'.", f"{path}.alias")
            case ir.ModelBlock(goal=goal):
                yield Violation("E405", f"A model call ('{goal[:80]}') stands in a rigid block.", path)
            case _:
                name = getattr(statement, "kind", type(statement).__name__)
                yield Violation("E400", f"A rigid block cannot hold a '{name}'.", path)


def _placed(body: tuple[ir.AnyBlock, ...], path: str) -> Iterator[tuple[str, ir.AnyBlock]]:
    """Yield all blocks of a body with their paths, each before those that it contains."""
    for index, block in enumerate(body):
        place = f"{path}[{index}]"
        yield place, block
        for key, inner in _inner(block):
            yield from _placed(inner, f"{place}.{key}")


def _inner(block: ir.AnyBlock) -> Iterable[tuple[str, tuple[ir.AnyBlock, ...]]]:
    """Return what `ir.bodies` does, each body with the path that leads to it."""
    match block:
        case ir.MatchBlock():
            keys = [*(f"arms[{index}].body" for index in range(len(block.arms))), "else_body"]
        case ir.ParallelBlock():
            keys = [f"branches[{index}].body" for index in range(len(block.branches))]
        case _:
            keys = ["body", "catch"]
    return zip(keys, ir.bodies(block), strict=False)


def _node_ids(body: tuple[ir.AnyBlock, ...]) -> set[str]:
    return {block.node_id for block in ir.walk(body) if block.node_id is not None}


def _no_producer(what: str, node_id: str, path: str) -> Violation:
    return Violation("E411", f"{what} comes from the node '{node_id}', which does not exist here.", path)


def _merge_order(block: ir.ParallelBlock, path: str) -> Iterator[Violation]:
    merged = set().union(*(_node_ids(branch.body) for branch in block.branches))
    for index, node_id in enumerate(block.merge_order):
        if node_id not in merged:
            yield _no_producer("A merged result", node_id, f"{path}.merge_order[{index}]")


def _loop_bounds(block: ir.ForeachBlock | ir.WhileBlock, path: str) -> Iterator[Violation]:
    if isinstance(block, ir.ForeachBlock):
        yield from _bound(block.max_concurrent, f"{path}.max_concurrent")
    elif block.max_iterations is None:
        yield Violation("E414", "A while loop must have max_iterations.", f"{path}.max_iterations")
    yield from _bound(block.max_iterations, f"{path}.max_iterations")


def _bound(value: int | None, path: str) -> Iterator[Violation]:
    if value is not None and value < 1:
        yield Violation("E414", f"A bound must be at least 1, not {value}.", path)


def _timeout(block: ir.CheckpointBlock, path: str) -> Iterator[Violation]:
    action = block.on_timeout
    if action is None or action in TIMEOUT_ACTIONS:
        return
    if action.removeprefix(RESOLVE) in ("", action):
        known = ", ".join((*TIMEOUT_ACTIONS, f"{RESOLVE}<option>"))
        yield Violation("E418", f"The value '{action}' is none of {known}.", f"{path}.on_timeout")
        return
    offered = list(block.options)
    for section in block.sections:
        offered += section.get("options") or [] if section.get("type") == "decision" else []
    try:
        check_timeout_option(action, offered)
    except ValueError as error:
        yield Violation("E418", f"The checkpoint's {error}.", f"{path}.on_timeout")
