"""The forms that the output of a compiled flow may take, as far as they can be told without running it."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.interface.subtypes import is_subtype
from scaiflow_api.expressions import parse_template

JSON: TypeAlias = Any
Form: TypeAlias = Mapping[str, str] | str
"""Name → type, or a phrase for what declares no fields; equal phrases are equal forms."""

OUTPUT_VARIABLE = "output"


def keeps(old: Form, new: Form) -> bool:
    """Return whether who relies on the old form can read the new one."""
    if isinstance(old, str) or isinstance(new, str):
        return old == new
    return all(name in new and is_subtype(new[name], kind) for name, kind in old.items())


def phrase(form: Form) -> str:
    """Return the form in words."""
    return form if isinstance(form, str) else "{" + ", ".join(f"{name}: {form[name]}" for name in form) + "}"


def output_forms(flow: ir.Flow) -> list[Form]:
    """Return the forms that the output of a flow may take, those of the variable `output` first."""
    blocks = list(ir.walk(flow.body))
    forms: list[Form] = [
        _value(statement.value)
        for block in blocks
        if isinstance(block, ir.RigidBlock)
        for statement in block.statements
        if isinstance(statement, ir.AssignStatement) and statement.name == OUTPUT_VARIABLE
    ]
    by_node = {block.node_id: block for block in blocks if block.node_id is not None}
    forms += [_form(by_node[item.node_id]) for item in flow.outputs if item.node_id in by_node]
    return forms


def _form(block: ir.AnyBlock) -> Form:
    match block:
        case ir.GuardedBlock() | ir.FlexibleBlock():
            return block.output_type or "what a model says"
        case ir.RigidBlock():
            return _result(block.statements[-1])
        case ir.CheckpointBlock():
            return "a person's resolution"
        case ir.CoreCallBlock():
            return f"the output of {block.target}"
        case ir.ForeachBlock():
            return "a list"
        case _:
            return f"the result of '{block.node_id}'"


def _result(statement: ir.Statement) -> Form:
    match statement:
        case ir.ExpressionStatement():
            return _value(statement.expression)
        case ir.AssignStatement():
            return _value(statement.value)
        case ir.PluginCallStatement():
            return f"the result of {statement.alias}.{statement.method}"


def _value(value: JSON) -> Form:
    """Return the form of a template's value: text, the fields of an object, or the expression it comes from."""
    if isinstance(value, dict):
        return {name: phrase(_value(item)) for name, item in value.items()}
    if isinstance(value, str):
        return f"the value of {value}" if parse_template(value).is_single else "string"
    return {bool: "bool", int: "int", float: "float", list: "a list"}.get(type(value), "null")
