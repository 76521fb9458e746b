"""Steps of the manifest ↔ blocks: which form belongs to which block, and what all forms share.

A step that comes from a node carries `meta`. Further shared keys, each only where it says something:
`result_binding`, `on_error`, `data_bindings` (port → source node), and `source` (the node whose edges a match
without `meta` tests).
"""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds import (
    data_variable_set,
    llm_flexible,
    llm_guarded,
    llm_rigid,
    logic_decision,
)
from scaiflow_api.compiler.kinds.model_call import STEP_KEY as TURN
from scaiflow_api.compiler.kinds.steps import Step, StepCommon, without_defaults
from scaiflow_api.compiler.section import ManifestError, Section

STEP_KEYS = (TURN, llm_rigid.STEP_KEY, data_variable_set.STEP_KEY, logic_decision.STEP_KEY)
ON_ERROR = ("fail", "continue")


class StepWriter:
    """Writes the bodies of one module. `nodes` are those of its graph, by id."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self._nodes = nodes

    def body(self, blocks: tuple[ir.AnyBlock, ...]) -> list[Step]:
        return [self._step(block) for block in blocks]

    def _step(self, block: ir.AnyBlock) -> Step:
        source = block.source_location.node_id if block.node_id is None else None
        shared = {
            "result_binding": block.result_binding,
            "on_error": None if block.on_error == "fail" else block.on_error,
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
            case ir.MatchBlock():
                return logic_decision.write_step(block, self.body)
            case ir.RigidBlock(statements=(ir.ExpressionStatement() as statement,)):
                return llm_rigid.write_step(statement)
            case ir.RigidBlock():
                return data_variable_set.write_step(block.statements)

    def _meta(self, node_id: str) -> Step:
        node = self._nodes[node_id]
        config = {"node_config": node["config"]} if "config" in node else {}
        return {"node_id": node_id, "node_kind": node["type"], "node_label": node["label"], **config}


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
        forms = [key for key in STEP_KEYS if key in step]
        if len(forms) != 1:
            known = ", ".join(STEP_KEYS)
            raise ManifestError(f"{step.path} must have exactly one of the keys {known}.")
        common = self._common(step)
        if forms[0] == llm_rigid.STEP_KEY:
            return llm_rigid.read_step(step, common)
        if forms[0] == data_variable_set.STEP_KEY:
            return data_variable_set.read_step(step, common)
        if forms[0] == logic_decision.STEP_KEY:
            return logic_decision.read_step(step, common, self.body)
        if step.flag("guarded"):
            return llm_guarded.read_step(step, common, self._default_role)
        return llm_flexible.read_step(step, common, self._default_role)

    def _common(self, step: Section) -> StepCommon:
        node_id = self._read_meta(step.section("meta")) if "meta" in step else None
        source = step.optional_text("source") if node_id is None else node_id
        return StepCommon(
            node_id=node_id,
            result_binding=step.optional_text("result_binding"),
            source_location=ir.SourceLocation(node_id=source),
            data_bindings=step.texts("data_bindings"),
            on_error=step.choice("on_error", ON_ERROR),
        )

    def _read_meta(self, meta: Section) -> str:
        node_id = meta.text("node_id")
        if node_id in self.nodes:
            raise ManifestError(f"{meta.path}: another step has the node_id '{node_id}' already.")
        carried = {"id": node_id, "type": meta.json("node_kind"), "label": meta.json("node_label")}
        config = {"config": meta.mapping("node_config")} if "node_config" in meta.values else {}
        self.nodes[node_id] = {**carried, **config}
        return node_id
