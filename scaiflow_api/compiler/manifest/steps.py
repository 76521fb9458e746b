"""Steps of the manifest ↔ blocks: which form belongs to which block, and what all forms share.

A step that comes from a node carries `meta`. Further shared keys, each only where it says something:
`result_binding`, `on_error`, `data_bindings` (port → source node), and `source` (the node that a step without
`meta` was made for: whose edges a match tests, before which a breakpoint stands).
"""

from collections.abc import Callable, Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds import (
    data_variable_set,
    llm_flexible,
    llm_guarded,
    llm_rigid,
    logic_decision,
    logic_loop,
    logic_parallel,
    pause,
    plugin_call,
    subflow_call,
)
from scaiflow_api.compiler.kinds.base import Common
from scaiflow_api.compiler.kinds.model_call import STEP_KEY as TURN
from scaiflow_api.compiler.kinds.steps import ON_ERROR, Step, without_defaults
from scaiflow_api.compiler.manifest.section import ManifestError, Section


class StepWriter:
    """Writes the bodies of one module. `nodes` are those of its graph, by id."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self._nodes = nodes

    def body(self, blocks: tuple[ir.AnyBlock, ...]) -> list[Step]:
        return [self._step(block) for block in blocks]

    def _step(self, block: ir.AnyBlock) -> Step:
        if isinstance(block, ir.TryBlock):
            (inner,) = block.body
            return self._written(inner, "continue")
        return self._written(block, block.on_error if isinstance(block, ir.MatchBlock) else "fail")

    def _written(self, block: ir.AnyBlock, on_error: str) -> Step:
        source = block.source_location.node_id if block.node_id is None else None
        shared = {
            "result_binding": block.result_binding,
            "on_error": None if on_error == "fail" else on_error,
            "data_bindings": block.data_bindings,
            "source": source,
        }
        meta = {} if block.node_id is None else {"meta": self._meta(block.node_id)}
        return {**self._form(block), **without_defaults(shared), **meta}

    def _form(self, block: ir.AnyBlock) -> Step:
        match block:
            case ir.GuardedBlock():
                return llm_guarded.write_step(block)
            case ir.FlexibleBlock():
                return llm_flexible.write_step(block)
            case ir.RigidBlock():
                return _rigid_form(block.statements)
            case ir.CheckpointBlock():
                return pause.write_step(block)
            case ir.CoreCallBlock():
                return subflow_call.write_step(block)
            case _:
                return self._control_form(block)

    def _control_form(self, block: ir.AnyBlock) -> Step:
        match block:
            case ir.MatchBlock():
                return logic_decision.write_step(block, self.body)
            case ir.ForeachBlock() | ir.WhileBlock():
                return logic_loop.write_step(block, self.body)
            case ir.ParallelBlock():
                return logic_parallel.write_step(block, self.body)
            case _:
                raise AssertionError(f"a step holds a block of kind '{block.kind}'")

    def _meta(self, node_id: str) -> Step:
        node = self._nodes.get(node_id)
        if node is None:
            return {"node_id": node_id}
        config = {"node_config": node["config"]} if "config" in node else {}
        return {"node_id": node_id, "node_kind": node["type"], "node_label": node["label"], **config}


def _rigid_form(statements: tuple[ir.Statement, ...]) -> Step:
    match statements:
        case (ir.ExpressionStatement() as statement,):
            return llm_rigid.write_step(statement)
        case (ir.PluginCallStatement() as statement,):
            return plugin_call.write_step(statement)
        case _:
            return data_variable_set.write_step(statements)


class StepReader:
    """Reads the bodies of one manifest, and remembers the nodes that its steps carry."""

    def __init__(self, default_role: str) -> None:
        self._default_role = default_role
        self.nodes: dict[str, dict[str, Any]] = {}
        """Node id → `id`, `type`, `label` and `config`, as far as the steps' `meta` has them."""

    def body(self, section: Section, key: str) -> tuple[ir.AnyBlock, ...]:
        """Read a list of steps. Raises ManifestError."""
        return tuple(self._step(step) for step in section.sections(key))

    def _step(self, step: Section) -> ir.AnyBlock:
        forms = [key for key, value in step.values.items() if value is not None and key in FORMS]
        if len(forms) != 1:
            known = ", ".join(FORMS)
            raise ManifestError(f"{step.path} must have exactly one of the keys {known}.")
        block = FORMS[forms[0]](self, step, self._common(step))
        handled = step.choice("on_error", ON_ERROR) == "continue"
        if not handled or isinstance(block, ir.MatchBlock):
            return block
        here = ir.SourceLocation(node_id=block.source_location.node_id)
        return ir.TryBlock(source_location=here, body=(block,))

    def model_call(self, step: Section, common: Common) -> ir.AnyBlock:
        if step.flag("guarded"):
            return llm_guarded.read_step(step, common, self._default_role)
        return llm_flexible.read_step(step, common, self._default_role)

    def _common(self, step: Section) -> Common:
        node_id = self._read_meta(step.section("meta")) if "meta" in step else None
        source = step.optional_text("source") if node_id is None else node_id
        return Common(
            node_id=node_id,
            result_binding=step.optional_text("result_binding"),
            source_location=ir.SourceLocation(node_id=source),
            data_bindings=step.texts("data_bindings"),
        )

    def _read_meta(self, meta: Section) -> str:
        node_id = meta.text("node_id")
        if node_id in self.nodes:
            raise ManifestError(f"{meta.path}: another step has the node_id '{node_id}' already.")
        carried = {"id": node_id, "type": meta.json("node_kind"), "label": meta.json("node_label")}
        config = {"config": meta.mapping("node_config")} if "node_config" in meta.values else {}
        self.nodes[node_id] = {**carried, **config}
        return node_id


FORMS: Mapping[str, Callable[[StepReader, Section, Common], ir.AnyBlock]] = {
    TURN: StepReader.model_call,
    llm_rigid.STEP_KEY: lambda reader, step, common: llm_rigid.read_step(step, common),
    data_variable_set.STEP_KEY: lambda reader, step, common: data_variable_set.read_step(step, common),
    plugin_call.STEP_KEY: lambda reader, step, common: plugin_call.read_step(step, common),
    pause.STEP_KEY: lambda reader, step, common: pause.read_step(step, common),
    subflow_call.STEP_KEY: lambda reader, step, common: subflow_call.read_step(step, common),
    logic_decision.STEP_KEY: lambda reader, step, common: logic_decision.read_step(step, common, reader.body),
    logic_loop.FOREACH_KEY: lambda reader, step, common: logic_loop.read_foreach(step, common, reader.body),
    logic_loop.WHILE_KEY: lambda reader, step, common: logic_loop.read_while(step, common, reader.body),
    logic_parallel.STEP_KEY: lambda reader, step, common: logic_parallel.read_step(step, common, reader.body),
}
"""How each form is read. Not kept by a reader: what refers to itself is there until it is searched for."""
