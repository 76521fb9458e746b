"""Expressions and templates: each can be read, and asks only for flags that are surely set before (E417, E412).

Follows the ways that a run may take. What one arm of several sets, is not surely set behind them; what a round
sets, is not set behind its loop; what a branch of a parallel block sets, is set behind it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.model_call import MODEL_TEMPLATES
from scaiflow_api.compiler.verifier.violation import Violation
from scaiflow_api.expressions import ExpressionSyntaxError, parse, template_names

Flags: TypeAlias = frozenset[str]

_EXPRESSIONS: Mapping[type, tuple[str, ...]] = {
    ir.GuardedBlock: ("guard", "validate"),
    ir.MatchBlock: ("subject",),
    ir.MatchArm: ("condition",),
    ir.ForeachBlock: ("items", "collect"),
    ir.WhileBlock: ("condition", "collect"),
}
_TEMPLATES: Mapping[type, tuple[str, ...]] = {
    ir.GuardedBlock: MODEL_TEMPLATES,
    ir.FlexibleBlock: (*MODEL_TEMPLATES, "examples"),
    ir.CheckpointBlock: ("prompt", "options", "sections", "assignee"),
    ir.HitlTarget: ("scope", "queue"),
    ir.CoreCallBlock: ("input_bindings", "instance_key"),
    ir.ExpressionStatement: ("expression",),
    ir.AssignStatement: ("value",),
    ir.PluginCallStatement: ("args",),
}


def check_texts(module: ir.Module) -> list[Violation]:
    walk = _Walk()
    for index, flow in enumerate(module.flows):
        walk.body(flow.body, f"flows[{index}].body", frozenset([ir.ENTRY_NAME]))
    return walk.found


class _Walk:
    """Goes through bodies. `known` are the flags that are set on every way there."""

    def __init__(self) -> None:
        self.found: list[Violation] = []

    def body(self, body: tuple[ir.AnyBlock, ...], path: str, known: Flags) -> Flags:
        """Return the flags that are set on every way to the end of the body."""
        for index, block in enumerate(body):
            known = self._block(block, f"{path}[{index}]", known)
        return known

    def _block(self, block: ir.AnyBlock, path: str, known: Flags) -> Flags:
        local = known.union(block.data_bindings) if block.data_bindings else known
        self._texts(block, path, local)
        match block:
            case ir.RigidBlock():
                return self._statements(block, path, known)
            case ir.MatchBlock():
                ends = [self.body(block.else_body, f"{path}.else_body", known)]
                for index, arm in enumerate(block.arms):
                    self._texts(arm, f"{path}.arms[{index}]", local)
                    ends.append(self.body(arm.body, f"{path}.arms[{index}].body", known))
                return known.union(frozenset.intersection(*ends) - known)
            case ir.ForeachBlock() | ir.WhileBlock():
                self.body(block.body, f"{path}.body", known)
            case ir.ParallelBlock():
                ends = [
                    self.body(branch.body, f"{path}.branches[{index}].body", known)
                    for index, branch in enumerate(block.branches)
                ]
                return known.union(*ends)
            case ir.CheckpointBlock():
                self._texts(block.hitl_target, f"{path}.hitl_target", local)
            case ir.TryBlock():
                whole = self.body(block.body, f"{path}.body", known)
                return whole & self.body(block.catch, f"{path}.catch", known)
        return known

    def _statements(self, block: ir.RigidBlock, path: str, known: Flags) -> Flags:
        for index, statement in enumerate(block.statements):
            local = known.union(block.data_bindings) if block.data_bindings else known
            self._texts(statement, f"{path}.statements[{index}]", local)
            if isinstance(statement, ir.AssignStatement) and statement.name.startswith(ir.RESERVED_PREFIX):
                known |= {statement.name}
        return known

    def _texts(self, holder: object, path: str, known: Flags) -> None:
        for key, names in self._names(holder, path):
            for name in sorted(names):
                if name.startswith(ir.RESERVED_PREFIX) and name not in known:
                    message = f"The flag '{name}' is tested where it may not have been set."
                    self.found.append(Violation("E412", message, f"{path}.{key}"))

    def _names(self, holder: object, path: str) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the fields that hold expressions or templates, with the root names that they ask for."""
        for keys, read in (
            (_EXPRESSIONS.get(type(holder), ()), _expression_names),
            (_TEMPLATES.get(type(holder), ()), _template_names),
        ):
            for key in keys:
                try:
                    yield key, read(getattr(holder, key))
                except ExpressionSyntaxError as error:
                    self.found.append(Violation("E417", error.message, f"{path}.{key}"))


def _expression_names(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else parse(text).names


def _template_names(value: Any) -> frozenset[str]:
    return template_names(list(value) if isinstance(value, tuple) else value)
