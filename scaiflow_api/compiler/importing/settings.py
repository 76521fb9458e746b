"""The configuration that a step stands for, and edits of one by hand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct
from pydantic import ValidationError

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.importing.ways import Step
from scaiflow_api.compiler.kinds import KINDS, EntryKind, StepKind
from scaiflow_api.compiler.kinds.base import Common, EntryConfig, FallibleConfig
from scaiflow_api.compiler.kinds.checkpoint import BREAKPOINT
from scaiflow_api.compiler.lowering.surroundings import FlowSurroundings

JSON = Any
Config = dict[str, JSON]
"""By key; those at their defaults are absent."""


def same(left: JSON, right: JSON) -> bool:
    """Return whether two values are the same JSON; `true` is not 1."""
    try:
        return orjson.dumps(left, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            right, option=orjson.OPT_SORT_KEYS
        )
    except orjson.JSONEncodeError:
        return bool(left == right)


class Marks(Struct, frozen=True):
    """What blocks without a node say about the configuration of nodes."""

    breakpoints: frozenset[str]
    bindings: Mapping[str, str]
    """Entry → the name that its input is given."""


def marks_of(blocks: Iterable[ir.AnyBlock]) -> Marks:
    """Return what is told of nodes by those of all blocks that are not theirs."""
    breakpoints, bindings = set(), {}
    for block in blocks:
        if block.node_id is not None or (source := block.source_location.node_id) is None:
            continue
        match block:
            case ir.CheckpointBlock(checkpoint_type=kind) if kind == BREAKPOINT:
                breakpoints.add(source)
            case ir.RigidBlock(statements=(ir.AssignStatement(name=name),)):
                bindings[source] = name
    return Marks(frozenset(breakpoints), bindings)


def settings_of(kind: StepKind, step: Step, marks: Marks) -> Config:
    """Return the configuration of the node that a step comes from. The step must fit its kind."""
    shared = {
        "result_binding": step.block.result_binding,
        "on_error": "continue" if step.handled else None,
        "breakpoint": True if step.node_id in marks.breakpoints else None,
    }
    given = {key: value for key, value in shared.items() if value is not None}
    own = {
        key: value for key, value in kind.config_of(step.block).items() if (key, value) != ("llm_role", "")
    }
    return {**own, **given}


def entry_settings(trigger: ir.Trigger, schema: Mapping[str, str], marks: Marks) -> Config:
    """Return the configuration of the entry that a trigger comes from: all that its kind knows."""
    node_id = trigger.node_id or ""
    fields = {
        "method": trigger.method,
        "path": trigger.path,
        "auth": trigger.auth,
        "cron": trigger.cron,
        "timezone": trigger.timezone,
        "input_schema": dict(schema) or None,
        "result_binding": marks.bindings.get(node_id),
        "breakpoint": True if node_id in marks.breakpoints else None,
    }
    known = entry_kind(trigger.kind).config.model_fields
    return {key: value for key, value in fields.items() if value is not None and key in known}


def entry_kind(trigger: str) -> EntryKind:
    """Return the kind of entry for a kind of trigger."""
    return next(kind for kind in KINDS.values() if isinstance(kind, EntryKind) and kind.trigger == trigger)


NOWHERE = Common(node_id=None, result_binding=None, source_location=ir.SourceLocation(), data_bindings={})


class Lowered:
    """What configurations in a document stand for, in the words of `settings_of` and `entry_settings`."""

    def __init__(self, view: FlowView) -> None:
        self._view = view
        self._around = FlowSurroundings(view)

    def settings(self, node_id: str, kind: EntryKind | StepKind, config: Config) -> Config | None:
        """Return the settings of a node of this kind and configuration; None where the kind does not take it."""
        try:
            checked = kind.config.model_validate(config)
        except ValidationError:
            return None
        shared: Config = {
            "result_binding": checked.result_binding,
            "breakpoint": checked.breakpoint or None,
        }
        if isinstance(checked, EntryConfig):
            own = {**checked.trigger_fields(), "input_schema": checked.input_schema or None}
        else:
            assert isinstance(kind, StepKind)
            around = self._around.of(self._view.by_id[node_id].index, NOWHERE)
            own = kind.config_of(kind.lower(checked, around))
            if isinstance(checked, FallibleConfig) and checked.on_error == "continue":
                shared["on_error"] = "continue"
        return {key: value for key, value in {**own, **shared}.items() if value is not None}


def known_keys(kind: EntryKind | StepKind) -> set[str]:
    """Return the keys of a configuration that mean something to its kind."""
    return {info.alias or name for name, info in kind.config.model_fields.items()}


def changed_keys(before: Config, after: Config) -> list[str]:
    """Return the keys whose values differ, those of `after` first."""
    keys = dict.fromkeys((*after, *before))
    return [
        key for key in keys if (key in before) != (key in after) or not same(before.get(key), after.get(key))
    ]


def edited(
    kind: EntryKind | StepKind,
    config: Config,
    wanted: Config,
    keys: Sequence[str],
    settings: Callable[[Config], Config | None],
) -> Config:
    """Return the configuration with these keys as they are wanted; `settings` says what a configuration means.

    Where that comes to mean something else, because one thing can be said in several ways, all keys that the kind
    knows are replaced.
    """
    result = {key: value for key, value in config.items() if key not in keys}
    result |= {key: wanted[key] for key in keys if key in wanted}
    meant = settings(result)
    if meant is not None and set(keys).isdisjoint(changed_keys(meant, wanted)):
        return result
    known = known_keys(kind)
    replaced = {key: value for key, value in config.items() if key not in known} | wanted
    return result if settings(replaced) is None else replaced
