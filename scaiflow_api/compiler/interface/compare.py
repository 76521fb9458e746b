"""Would callers break? What a flow promises to those who call it, and whether another version keeps it.

Callers are people and programs behind an API or webhook entry, flows that call `core://{tenant}/{slug}`, and
chat clients of a flow that is published as a model. A schedule has none. A version breaks them when

* the slug of the flow, or the name of one of its flows, is gone;
* no entry answers any more at a kind, method and path;
* an entry's `input_schema` asks for more: a field that is new and not optional (`string?`), or one whose type
  accepts less. A field that is gone asks for nothing. An entry without `input_schema` promises nothing about
  its input, so neither adding nor removing the whole schema breaks anybody;
* the output may take a form that it could not take before: a declared field is missing or accepts more, or a
  value comes from elsewhere. A flow that answered with nothing promised nothing;
* it is no longer published as a model.

A version with errors, or beyond a limit, answers nobody: going there breaks callers, coming from there none.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.interface.output_forms import Form, keeps, output_forms, phrase
from scaiflow_api.compiler.interface.subtypes import is_optional, is_subtype
from scaiflow_api.compiler.pipeline import CompileError, compile_flow
from scaiflow_api.flowgraph import DEFAULT_LIMITS, FlowTooLarge, Limits

JSON: TypeAlias = Any


class Verdict(Struct, frozen=True):
    """Whether callers could break, and by what: one sentence each."""

    reasons: tuple[str, ...]

    @property
    def breaking(self) -> bool:
        return bool(self.reasons)

    def as_dict(self) -> dict[str, JSON]:
        return {"breaking": self.breaking, "reasons": list(self.reasons)}


class _Promise(Struct, frozen=True):
    """What callers of one compiled flow rely on."""

    module: ir.Module
    inputs: Mapping[str | None, Mapping[str, str] | None]
    """Node → its `input_schema`, which only entries have."""


def compare_interfaces(
    old: Mapping[str, JSON], new: Mapping[str, JSON], *, limits: Limits = DEFAULT_LIMITS
) -> Verdict:
    """Tell whether callers of the old document could break on the new one; both have the shape of a flow."""
    before, after = _promise(old, limits), _promise(new, limits)
    if before is None:
        return Verdict(())
    if after is None:
        return Verdict(("the new version has errors or is too large: it cannot be deployed",))
    return Verdict(tuple(dict.fromkeys(_reasons(before, after))))


def _promise(document: Mapping[str, JSON], limits: Limits) -> _Promise | None:
    try:
        module = compile_flow(document, limits=limits).module
    except (CompileError, FlowTooLarge):
        return None
    schemas = {node["id"]: node.get("config", {}).get("input_schema") for node in document["nodes"]}
    return _Promise(module, schemas)


def _reasons(before: _Promise, after: _Promise) -> Iterator[str]:
    yield from _names(before.module, after.module)
    for trigger in _called(before.module):
        successor = _successor(trigger, _called(after.module))
        if successor is None:
            yield f"nothing answers at {_address(trigger)} any more"
            continue
        yield from _input(_address(trigger), before.inputs[trigger.node_id], after.inputs[successor.node_id])
        yield from _output(
            _address(trigger),
            output_forms(_flow(before.module, trigger)),
            output_forms(_flow(after.module, successor)),
        )


def _names(before: ir.Module, after: ir.Module) -> Iterator[str]:
    if before.name != after.name:
        yield f"the slug is '{after.name}', it was '{before.name}': flows that call it by its old name fail"
    else:
        kept = {flow.name for flow in after.flows}
        for flow in before.flows:
            if flow.name not in kept:
                yield f"the flow '{flow.name}' is gone"
    if before.metadata.publish_as_model and not after.metadata.publish_as_model:
        yield "it is no longer published as a model"


def _called(module: ir.Module) -> list[ir.Trigger]:
    return [trigger for trigger in module.triggers if trigger.kind != "schedule"]


def _successor(trigger: ir.Trigger, others: list[ir.Trigger]) -> ir.Trigger | None:
    """Return who answers at the same address: where there are several, the same entry if it is one of them."""
    answering = [other for other in others if _address(other) == _address(trigger)]
    same_entry = (other for other in answering if other.node_id == trigger.node_id)
    return next(same_entry, answering[0] if answering else None)


def _address(trigger: ir.Trigger) -> str:
    return f"{trigger.kind} {trigger.method} {trigger.path}"


def _flow(module: ir.Module, trigger: ir.Trigger) -> ir.Flow:
    return next(flow for flow in module.flows if flow.name == trigger.target_flow)


def _input(where: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> Iterator[str]:
    if old is None or new is None:
        return
    for name, kind in new.items():
        if name not in old:
            if not is_optional(kind):
                yield f"{where} asks for a new field '{name}'"
        elif not is_subtype(old[name], kind):
            yield f"{where} takes '{name}' as {kind}, it was {old[name]}"


def _output(where: str, old: list[Form], new: list[Form]) -> Iterator[str]:
    if not old:
        return
    if not new:
        yield f"{where} no longer answers with anything"
    for form in new:
        if any(keeps(earlier, form) for earlier in old):
            continue
        if isinstance(form, str) or not (len(old) == 1 and isinstance(old[0], Mapping)):
            was = " or ".join(dict.fromkeys(map(phrase, old)))
            yield f"{where} may answer with {phrase(form)}, it was {was}"
            continue
        for name, kind in old[0].items():
            if name not in form:
                yield f"{where} no longer answers with '{name}'"
            elif not is_subtype(form[name], kind):
                yield f"{where} answers with '{name}' as {form[name]}, it was {kind}"
