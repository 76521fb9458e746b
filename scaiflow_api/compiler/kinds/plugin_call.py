"""What the kinds that call a plugin share: one statement, and its step `plugin_call: {alias, method, args}`."""

from collections.abc import Mapping

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, Common, Surroundings
from scaiflow_api.compiler.kinds.steps import Step, without_defaults
from scaiflow_api.compiler.manifest.section import Section

STEP_KEY = "plugin_call"


def lower_call(
    alias: str, method: str, args: Mapping[str, JSON], around: Surroundings, *, timeout: str | None = None
) -> ir.RigidBlock:
    binding = around.common["result_binding"]
    statement = ir.PluginCallStatement(
        alias=alias, method=method, args=args, timeout=timeout, binding=binding
    )
    return ir.RigidBlock(**around.common, statements=(statement,))


def call_of(block: ir.RigidBlock) -> ir.PluginCallStatement:
    (statement,) = block.statements
    assert isinstance(statement, ir.PluginCallStatement)
    return statement


def write_step(statement: ir.PluginCallStatement) -> Step:
    more = without_defaults({"args": statement.args, "timeout": statement.timeout})
    return {STEP_KEY: {"alias": statement.alias, "method": statement.method, **more}}


def read_step(step: Section, common: Common) -> ir.RigidBlock:
    call = step.section(STEP_KEY)
    statement = ir.PluginCallStatement(
        alias=call.text("alias"),
        method=call.text("method"),
        args=call.mapping("args"),
        timeout=call.optional_duration("timeout"),
        binding=common["result_binding"],
    )
    return ir.RigidBlock(**common, statements=(statement,))
