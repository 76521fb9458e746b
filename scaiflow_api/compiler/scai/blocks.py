"""Blocks of `.scai` text: one writer per kind."""

import re
from collections.abc import Iterable
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.scai.lines import (
    IDENTIFIER,
    Page,
    Texts,
    arguments,
    name,
    quoted,
    value,
)

POLICY = re.compile(r"[a-z_]+(\([a-z0-9_ =]*\))?( *\| *[a-z_]+(\([a-z0-9_ =]*\))?)*")
"""`retry(max=2) | escalate`; other texts are quoted."""
NODE_PREFIX = "node_"
NAMES_OF_THE_LANGUAGE = frozenset({"input", "output", "result"})
VALUELESS = (ir.MatchBlock, ir.ParallelBlock, ir.TryBlock)


class BlockWriter:
    """Writes the bodies of one module. `graph` is that of its metadata: it has the nodes' kinds and labels."""

    def __init__(self, page: Page, texts: Texts, graph: Any) -> None:
        self._page = page
        self._template = texts.template
        self._expression = texts.expression
        nodes = graph.get("nodes") if isinstance(graph, dict) else None
        self._nodes = nodes if isinstance(nodes, dict) else {}

    def body(self, body: Iterable[ir.AnyBlock]) -> None:
        for block in body:
            self._block(block)

    def outputs(self, keyword: str, outputs: Iterable[ir.OutputCandidate]) -> None:
        """Write which node's value is returned: the first that ran while none of those after `unless` did."""
        if not outputs:
            return
        with self._page.block(f"{keyword} first"):
            for output in outputs:
                unless = ", ".join(name(node_id) for node_id in output.successors)
                self._page.line(f"{name(output.node_id)} unless {unless}" if unless else name(output.node_id))

    def _block(self, block: ir.AnyBlock) -> None:
        page = self._page
        with page.block(f"{_binding(block)}@{self._head(block)}", self._origin(block)):
            if block.data_bindings:
                pairs = ", ".join(
                    f"{name(port)} = {name(node)}" for port, node in block.data_bindings.items()
                )
                page.line(f"@data {{ {pairs} }}")
            match block:
                case ir.RigidBlock():
                    for statement in block.statements:
                        self._statement(statement, block.result_binding)
                case ir.GuardedBlock() | ir.FlexibleBlock():
                    self._model_call(block)
                case ir.MatchBlock():
                    self._match(block)
                case ir.ForeachBlock() | ir.WhileBlock():
                    self._loop(block)
                case ir.ParallelBlock():
                    self._parallel(block)
                case ir.CheckpointBlock():
                    self._checkpoint(block)
                case ir.CoreCallBlock():
                    self._core_call(block)
                case ir.TryBlock():
                    self.body(block.body)
        if isinstance(block, ir.TryBlock):
            with page.block("@catch"):
                self.body(block.catch)

    def _head(self, block: ir.AnyBlock) -> str:
        match block:
            case ir.MatchBlock(subject=str(subject)):
                return f"match {self._expression(subject)}"
            case ir.ForeachBlock():
                names = [block.item_var, *([] if block.index_var is None else [block.index_var])]
                return f"foreach {', '.join(name(item) for item in names)} in {self._expression(block.items)}"
            case ir.WhileBlock():
                return f"while {self._expression(block.condition)}"
            case ir.CheckpointBlock():
                return f"checkpoint {name(block.checkpoint_type)}"
            case _:
                return block.kind

    def _origin(self, block: ir.AnyBlock) -> str:
        """Return the comment that says where the block comes from."""
        source = block.source_location.node_id
        if block.node_id is not None:
            return f"{name(block.node_id)}{self._described(block.node_id)}"
        if source is None:
            return "generated"
        match block:
            case ir.TryBlock():
                return f"on_error of {name(source)}"
            case ir.MatchBlock():
                return f"edges of {name(source)}"
            case _:
                return f"before {name(source)}"

    def _described(self, node_id: str) -> str:
        node = self._nodes.get(node_id)
        kind, label = (node.get("type"), node.get("label")) if isinstance(node, dict) else (None, None)
        shown = [name(kind)] if isinstance(kind, str) else []
        if isinstance(label, str) and label != node_id:
            shown.append(quoted(label))
        return "".join(f" {part}" for part in shown)

    def _statement(self, statement: ir.Statement, bound: str | None) -> None:
        page = self._page
        match statement:
            case ir.ExpressionStatement():
                page.line(value(statement.expression, page.indent, self._template))
            case ir.AssignStatement():
                page.line(f"{name(statement.name)} = {value(statement.value, page.indent, self._template)}")
            case ir.PluginCallStatement():
                binding = statement.binding
                target = "" if binding is None or binding == bound else f"{name(binding)} = "
                call = f"{target}{name(statement.alias)}.{name(statement.method)}"
                within = "" if statement.timeout is None else f" // within {statement.timeout}"
                page.line(f"{call}{arguments(statement.args, page.indent, self._template)}{within}")

    def _model_call(self, block: ir.GuardedBlock | ir.FlexibleBlock) -> None:
        page = self._page
        page.field("goal", block.goal)
        page.line(f"llm = {name(block.llm_role)}")
        page.field("input", block.input_bindings, self._template)
        page.field("context", block.context_bindings, self._template)
        if isinstance(block, ir.GuardedBlock):
            self._condition("guard", block.guard)
            self._condition("validate", block.validate)
        page.types("output", block.output_type)
        page.field("guidance", block.guidance)
        page.field("constraints", block.constraints)
        if isinstance(block, ir.GuardedBlock):
            page.field("on_validation_failure", block.on_validation_failure, _policy)
        else:
            if block.identity_ref:
                page.line("identity = core.identity")
            page.field("examples", block.examples)
            page.field("on_failure", block.on_failure, _policy)
            page.field("budget", block.budget)

    def _condition(self, keyword: str, condition: str | None) -> None:
        if condition is not None:
            self._page.line(f"{keyword} {{ {self._expression(condition)} }}")

    def _match(self, block: ir.MatchBlock) -> None:
        page = self._page
        if block.on_error != "fail":
            page.field("on_error", block.on_error)
        for arm in block.arms:
            keyword = "" if arm.compares else "when "
            edge = "" if arm.edge_id is None else name(arm.edge_id)
            with page.block(f"{keyword}{self._expression(arm.condition)} =>", edge):
                self.body(arm.body)
        if block.else_body:
            with page.block("else =>"):
                self.body(block.else_body)

    def _loop(self, block: ir.ForeachBlock | ir.WhileBlock) -> None:
        page = self._page
        page.field("max_iterations", block.max_iterations)
        if isinstance(block, ir.ForeachBlock) and block.max_concurrent != 1:
            page.field("max_concurrent", block.max_concurrent)
        self.body(block.body)
        if block.collect is not None:
            page.line(f"yield {self._expression(block.collect)}")
        self.outputs("yield", block.outputs)

    def _parallel(self, block: ir.ParallelBlock) -> None:
        page = self._page
        page.field("max_concurrent", block.max_concurrent)
        page.line(f"fail_fast = {str(block.fail_fast).lower()}")
        for branch in block.branches:
            with page.block("branch", "" if branch.edge_id is None else name(branch.edge_id)):
                self.body(branch.body)
        if block.merge_order:
            page.line("merge [" + ", ".join(name(node_id) for node_id in block.merge_order) + "]")

    def _checkpoint(self, block: ir.CheckpointBlock) -> None:
        page, target = self._page, block.hitl_target
        page.field("prompt", block.prompt, self._template)
        page.field("options", block.options)
        page.field("sections", block.sections, self._template)
        page.field("assignee", block.assignee, self._template)
        page.field("priority", block.priority)
        page.field("timeout", block.timeout)
        page.field("on_timeout", block.on_timeout)
        if target is not None:
            spec = {"scope": target.scope, "queue": target.queue, "hitl_spec": target.hitl_spec}
            page.field("hitl_target", spec)

    def _core_call(self, block: ir.CoreCallBlock) -> None:
        page = self._page
        page.field("target", block.target)
        page.field("flow", block.flow_name)
        page.field("input", block.input_bindings, self._template)
        page.field("instance_key", block.instance_key, self._template)
        page.field("version", block.version)
        page.field("timeout", block.timeout)
        if block.is_async:
            page.field("is_async", item=True)


def _binding(block: ir.AnyBlock) -> str:
    """Return the left-hand side of a block with a value: the author's name for it, else the node's short id."""
    if block.result_binding is not None:
        return f"{name(block.result_binding)} = "
    if block.node_id is None or isinstance(block, VALUELESS):
        return ""
    short = block.node_id.removeprefix(NODE_PREFIX)
    if IDENTIFIER.fullmatch(short) is None or short in NAMES_OF_THE_LANGUAGE:
        return ""
    return f"{short} = "


def _policy(text: str) -> str:
    return text if POLICY.fullmatch(text) else quoted(text)
