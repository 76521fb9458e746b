"""Blocks that contain no others, and statements ↔ plain maps; the two directions of a kind stand together."""

from typing import TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, Common
from scaiflow_api.compiler.kinds.model_call import ModelFields
from scaiflow_api.compiler.manifest.section import Section

Plain: TypeAlias = dict[str, JSON]


def _write_statement(statement: ir.Statement) -> Plain:
    match statement:
        case ir.ExpressionStatement():
            return {"kind": statement.kind, "expression": statement.expression}
        case ir.AssignStatement():
            return {"kind": statement.kind, "name": statement.name, "value": statement.value}
        case ir.PluginCallStatement():
            return {
                "kind": statement.kind,
                "alias": statement.alias,
                "method": statement.method,
                "args": statement.args,
                "binding": statement.binding,
                "timeout": statement.timeout,
            }


def _read_statement(statement: Section) -> ir.Statement:
    match statement.text("kind"):
        case ir.ExpressionStatement.kind:
            return ir.ExpressionStatement(expression=statement.json("expression"))
        case ir.AssignStatement.kind:
            return ir.AssignStatement(name=statement.text("name"), value=statement.json("value"))
        case ir.PluginCallStatement.kind:
            return ir.PluginCallStatement(
                alias=statement.text("alias"),
                method=statement.text("method"),
                args=statement.mapping("args"),
                timeout=statement.optional_duration("timeout"),
                binding=statement.optional_text("binding"),
            )
        case _:
            raise statement.fail("kind", "one of expression, assign, plugin_call")


def write_rigid(block: ir.RigidBlock) -> Plain:
    return {"statements": [_write_statement(statement) for statement in block.statements]}


def read_rigid(block: Section, common: Common) -> ir.RigidBlock:
    statements = tuple(_read_statement(statement) for statement in block.sections("statements"))
    return ir.RigidBlock(**common, statements=statements)


def write_guarded(block: ir.GuardedBlock) -> Plain:
    return {
        "goal": block.goal,
        "output_type": block.output_type,
        "llm_role": block.llm_role,
        "guard": block.guard,
        "validate": block.validate,
        "input_bindings": block.input_bindings,
        "context_bindings": block.context_bindings,
        "guidance": block.guidance,
        "constraints": block.constraints,
        "on_validation_failure": block.on_validation_failure,
    }


def read_guarded(block: Section, common: Common) -> ir.GuardedBlock:
    return ir.GuardedBlock(
        **common,
        **_read_call(block),
        guard=block.optional_text("guard"),
        validate=block.optional_text("validate"),
        on_validation_failure=block.optional_text("on_validation_failure"),
    )


def write_flexible(block: ir.FlexibleBlock) -> Plain:
    return {
        "goal": block.goal,
        "output_type": block.output_type,
        "llm_role": block.llm_role,
        "input_bindings": block.input_bindings,
        "context_bindings": block.context_bindings,
        "guidance": block.guidance,
        "constraints": block.constraints,
        "examples": block.examples,
        "on_failure": block.on_failure,
        "budget": block.budget,
        "identity_ref": block.identity_ref,
    }


def read_flexible(block: Section, common: Common) -> ir.FlexibleBlock:
    return ir.FlexibleBlock(
        **common,
        **_read_call(block),
        examples=tuple(block.items("examples")),
        on_failure=block.optional_text("on_failure"),
        budget=block.json("budget"),
        identity_ref=block.flag("identity_ref"),
    )


def _read_call(block: Section) -> ModelFields:
    return ModelFields(
        goal=block.text("goal"),
        output_type=block.texts("output_type") if "output_type" in block else None,
        llm_role=block.text("llm_role"),
        input_bindings=block.mapping("input_bindings"),
        context_bindings=block.mapping("context_bindings"),
        guidance=block.optional_text("guidance"),
        constraints=block.json("constraints"),
    )


def write_checkpoint(block: ir.CheckpointBlock) -> Plain:
    target = block.hitl_target
    return {
        "checkpoint_type": block.checkpoint_type,
        "prompt": block.prompt,
        "options": block.options,
        "sections": block.sections,
        "assignee": block.assignee,
        "priority": block.priority,
        "timeout": block.timeout,
        "on_timeout": block.on_timeout,
        "hitl_target": None
        if target is None
        else {"scope": target.scope, "queue": target.queue, "hitl_spec": target.hitl_spec},
    }


def read_checkpoint(block: Section, common: Common) -> ir.CheckpointBlock:
    return ir.CheckpointBlock(
        **common,
        checkpoint_type=block.text("checkpoint_type"),
        prompt=block.optional_text("prompt"),
        options=tuple(block.items("options")),
        sections=block.mappings("sections"),
        assignee=block.optional_text("assignee"),
        priority=block.optional_text("priority"),
        timeout=block.optional_text("timeout"),
        on_timeout=block.optional_text("on_timeout"),
        hitl_target=_read_hitl_target(block.section("hitl_target")) if "hitl_target" in block else None,
    )


def _read_hitl_target(target: Section) -> ir.HitlTarget:
    return ir.HitlTarget(
        scope=target.optional_text("scope"), queue=target.text("queue"), hitl_spec=target.mapping("hitl_spec")
    )


def write_core_call(block: ir.CoreCallBlock) -> Plain:
    return {
        "target": block.target,
        "flow_name": block.flow_name,
        "input_bindings": block.input_bindings,
        "instance_key": block.instance_key,
        "version": block.version,
        "timeout": block.timeout,
        "is_async": block.is_async,
    }


def read_core_call(block: Section, common: Common) -> ir.CoreCallBlock:
    return ir.CoreCallBlock(
        **common,
        target=block.text("target"),
        flow_name=block.optional_text("flow_name"),
        input_bindings=block.mapping("input_bindings"),
        instance_key=block.optional_text("instance_key"),
        version=block.optional_text("version"),
        timeout=block.text("timeout"),
        is_async=block.flag("is_async"),
    )
