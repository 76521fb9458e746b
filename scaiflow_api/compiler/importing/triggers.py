"""The triggers of a module, by the names that a walk knows their entries by."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.importing.settings import same

Schema = Mapping[str, str]


class Start(Struct, frozen=True):
    """A trigger, and the name of its entry: a `node_id`, or one that no node can have."""

    name: str
    trigger: ir.Trigger


def starts_of(module: ir.Module) -> list[Start]:
    return [Start(trigger.node_id or f"\0{place}", trigger) for place, trigger in enumerate(module.triggers)]


def shared_out(params: Schema, schemas: Sequence[Schema]) -> list[Schema]:
    """Return what each entry of a flow takes, so that together they take `params`; unchanged where they do already.

    `schemas` is what they took before. What none of them took goes to the first.
    """
    together: Schema = {}
    for schema in schemas:
        together = {**schema, **together}
    if same(together, params):
        return list(schemas)
    kept = [{name: params[name] for name in schema if name in params} for schema in schemas]
    new = {name: kind for name, kind in params.items() if name not in together}
    return [{**schema, **(new if place == 0 else {})} for place, schema in enumerate(kept)]
