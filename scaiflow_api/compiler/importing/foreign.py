"""What a manifest holds besides the steps of nodes: steps without a node, and keys that mean nothing in a flow.

Works on the loaded text, before it is read: a runtime refuses steps of a form that it does not know, an import keeps
them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct, field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.importing.flags import is_flag
from scaiflow_api.compiler.kinds import (
    data_variable_set,
    llm_rigid,
    logic_decision,
    logic_loop,
    logic_parallel,
    model_call,
    pause,
    plugin_call,
    subflow_call,
)
from scaiflow_api.compiler.kinds.checkpoint import BREAKPOINT
from scaiflow_api.compiler.manifest.text import COLLECTIONS
from scaiflow_api.flowgraph import FlowTooLarge

JSON = Any
Step = dict[str, JSON]
Place: TypeAlias = "tuple[Place | None, str, int | None]"
"""Where something stands: the place around it, its key there, and its number in the list there."""

TURN_KEYS = frozenset(
    {
        *("guarded", "llm_role", "output_schema", "input_bindings", "context_bindings", "guidance"),
        "constraints",
    }
)
GUARDED_KEYS = frozenset({"guard", "validate", "on_validation_failure"})
FLEXIBLE_KEYS = frozenset({"examples", "on_failure", "budget", "identity_ref"})
"""Those that only one kind of turn has."""
LOOP_KEYS = frozenset({"max_iterations", "collect", "steps", "outputs"})
FORMS: Mapping[str, frozenset[str]] = {
    model_call.STEP_KEY: TURN_KEYS,
    llm_rigid.STEP_KEY: frozenset(),
    data_variable_set.STEP_KEY: frozenset(),
    plugin_call.STEP_KEY: frozenset({"alias", "method", "args", "timeout"}),
    pause.STEP_KEY: frozenset(
        {
            *("type", "scope", "queue", "prompt", "options", "sections"),
            *("assignee", "timeout", "on_timeout", "priority"),
        }
    ),
    subflow_call.STEP_KEY: frozenset(
        {"target", "flow_name", "input_bindings", "instance_key", "version", "timeout", "is_async"}
    ),
    logic_decision.STEP_KEY: frozenset({"subject", "arms", "else"}),
    logic_loop.FOREACH_KEY: LOOP_KEYS | {"items", "as", "index_as", "max_concurrent"},
    logic_loop.WHILE_KEY: LOOP_KEYS | {"condition"},
    logic_parallel.STEP_KEY: frozenset({"branches", "max_concurrent", "fail_fast", "merge_order"}),
}
"""The forms of steps, and the keys of each: those of a turn stand beside it, those of the others inside."""
CONTAINERS = (
    logic_decision.STEP_KEY,
    logic_loop.FOREACH_KEY,
    logic_loop.WHILE_KEY,
    logic_parallel.STEP_KEY,
)
NO_META = "it has no meta"
NO_FORM = "it has none of the forms that flows know, or several"
PART_KEYS = {"arms": frozenset({"when", "edge", "steps"}), "branches": frozenset({"edge", "steps"})}
"""The lists of steps with more than one entry, and the keys of an entry."""
META_KEYS = frozenset({"node_id", "node_kind", "node_label", "node_config"})
FLOW_KEYS = frozenset({"name", "trigger", "additional_triggers", "params", "steps", "outputs"})
TRIGGER_KEYS = frozenset({"type", "name", "node_id", "method", "path", "auth", "cron", "timezone"})
MAX_PLACES = 10_000
"""How many places with keys that mean nothing are remembered; no more are ever reported."""
SHARED_KEYS = frozenset({"meta", "result_binding", "on_error", "data_bindings", "source"})


class Foreign(Struct):
    """What was found. Raises FlowTooLarge where that are more than `max_steps` steps: each is kept and reported."""

    max_steps: int
    steps: list[tuple[str, str, Step]] = field(default_factory=list)
    """Where each stood, why it has no node, and the step as it was."""
    keys: list[tuple[str, str | None, list[str]]] = field(default_factory=list)
    """Where keys stood that mean nothing, the node that they belong to, and the keys."""
    carried: dict[str, Step] = field(default_factory=dict)
    """Node id → the `meta` of its step."""
    is_inside: bool = False
    """Whether it is of what is in a step that is noted already."""

    def note(self, place: Place, node_id: str | None, unknown: Iterable[str]) -> None:
        """Remember keys that mean nothing, if there are any."""
        keys = sorted(unknown)
        if keys and len(self.keys) < MAX_PLACES:
            where = _path(place) if node_id is None else f"step of '{node_id}'"
            self.keys.append((where, node_id, keys))

    def add(self, place: str, reason: str, step: Step) -> None:
        self.steps.append((place, reason, step))
        if len(self.steps) > self.max_steps:
            raise FlowTooLarge(limit="steps without a node", maximum=self.max_steps, actual="more")


def take_foreign_steps(flows: object, max_steps: int) -> Foreign:
    """Take the steps that belong to no node out of `core.flows`; what is malformed stays for the reader.

    A `match` without a node stays as well, after being noted: its conditions become those of the edges before it.
    """
    found = Foreign(max_steps)
    for place, flow in enumerate(flows if isinstance(flows, list) else ()):
        if isinstance(flow, dict):
            here = (None, "core.flows", place)
            found.note(here, None, flow.keys() - FLOW_KEYS)
            _note_triggers(flow, here, found)
            _take(flow, "steps", here, found)
    return found


def _note_triggers(flow: Step, place: Place, found: Foreign) -> None:
    further = flow.get("additional_triggers")
    places: list[tuple[Place, JSON]] = [((place, "trigger", None), flow.get("trigger"))]
    for number, trigger in enumerate(further if isinstance(further, list) else ()):
        places.append(((place, "additional_triggers", number), trigger))
    for where, trigger in places:
        if isinstance(trigger, dict):
            found.note(where, None, trigger.keys() - TRIGGER_KEYS)


def _path(place: Place) -> str:
    """Return a place in words. Most are never asked for, and in deep manifests they are long."""
    around: Place | None = place
    parts = []
    while around is not None:
        around, part, number = around
        parts.append(part if number is None else f"{part}[{number}]")
    return ".".join(reversed(parts))


def _take(holder: Step, key: str, place: Place, found: Foreign) -> None:
    steps = holder.get(key)
    if isinstance(steps, list):
        holder[key] = [
            step
            for number, step in enumerate(steps)
            if not isinstance(step, dict) or _stays(step, (place, key, number), found)
        ]


def _stays(step: Step, place: Place, found: Foreign) -> bool:
    forms = [key for key, value in step.items() if value is not None and key in FORMS]
    if len(forms) != 1:
        found.add(_path(place), NO_FORM, step)
        return False
    (form,) = forms
    meta = step.get("meta")
    if meta is None and not _is_synthetic(step, form):
        if form != logic_decision.STEP_KEY:
            found.add(_path(place), NO_META, step)
            return False
        # All that it contains is noted with it.
        found.add(_path(place), NO_META, step if found.is_inside else _copied(step))
        inside = Foreign(found.max_steps, carried=found.carried, is_inside=True)
        _take_inside(step, form, place, inside)
        found.keys += inside.keys[: MAX_PLACES - len(found.keys)]
        return True
    if isinstance(meta, dict) and isinstance(meta.get("node_id"), str):
        found.carried[meta["node_id"]] = meta
        found.note(place, meta["node_id"], _unknown_keys(step, form) | (meta.keys() - META_KEYS))
    elif meta is None:
        found.note(place, None, _unknown_keys(step, form))
    _take_inside(step, form, place, found)
    return True


def _copied(value: JSON) -> JSON:
    """Return a value whose lists and mappings are others."""
    if isinstance(value, dict):
        return {key: _copied(item) if type(item) in COLLECTIONS else item for key, item in value.items()}
    return [_copied(item) if type(item) in COLLECTIONS else item for item in value]


def _take_inside(step: Step, form: str, place: Place, found: Foreign) -> None:
    if form in CONTAINERS and isinstance(step[form], dict):
        for holder, key, where in _bodies(step[form], (place, form, None)):
            if holder is not step[form]:
                found.note(where, None, holder.keys() - PART_KEYS[where[1]])
            _take(holder, key, where, found)


def _bodies(value: Step, place: Place) -> Iterator[tuple[Step, str, Place]]:
    """Yield where the value of a form holds steps: a mapping, a key of it, and the place of the mapping."""
    for key in PART_KEYS:
        parts = value.get(key)
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                yield part, "steps", (place, key, number)
    for key in ("else", "steps"):
        if key in value:
            yield value, key, place


def _is_synthetic(step: Step, form: str) -> bool:
    """Return whether a step is one that compiling makes: flags, the arms of a node's edges, breakpoints."""
    value = step[form]
    by_source = isinstance(step.get("source"), str)
    if form == pause.STEP_KEY:
        return by_source and isinstance(value, dict) and value.get("type") == BREAKPOINT
    if form == data_variable_set.STEP_KEY:
        return by_source or _are_flags(value, "variable")
    if form != logic_decision.STEP_KEY or not isinstance(value, dict):
        return False
    return by_source or value.get("subject") == ir.ENTRY_NAME or _are_flags(value.get("arms"), "when")


def _are_flags(items: JSON, key: str) -> bool:
    entries = items if isinstance(items, list) else ()
    names = [item.get(key) if isinstance(item, dict) else None for item in entries]
    return bool(names) and all(isinstance(name, str) and is_flag(name) for name in names)


_BESIDE: Mapping[str, frozenset[str]] = {
    form: SHARED_KEYS | {form} | (TURN_KEYS if form == model_call.STEP_KEY else frozenset()) for form in FORMS
}


def _unknown_keys(step: Step, form: str) -> set[str]:
    beside = step.keys() - _BESIDE[form]
    if form == model_call.STEP_KEY:
        return beside - (GUARDED_KEYS if step.get("guarded") is True else FLEXIBLE_KEYS)
    inside = step[form]
    if not isinstance(inside, dict) or not FORMS[form]:
        return beside
    return beside | (inside.keys() - FORMS[form])
