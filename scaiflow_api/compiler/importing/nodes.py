"""Steps and triggers → nodes, and what was edited in those that have nodes already."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.importing.drawing import INDENT, Drawing, Node, label_of
from scaiflow_api.compiler.importing.recognition import fits, kind_of
from scaiflow_api.compiler.importing.settings import (
    Config,
    Lowered,
    Marks,
    changed_keys,
    edited,
    entry_kind,
    entry_settings,
    known_keys,
    settings_of,
)
from scaiflow_api.compiler.importing.ways import Step
from scaiflow_api.compiler.kinds import KINDS, EntryKind, StepKind
from scaiflow_api.compiler.rules.imports import EDITED

JSON = Any
Meta = Mapping[str, JSON]
ENTRY_ID = "node_entry"


def add_step(drawing: Drawing, step: Step, meta: Meta, marks: Marks, after: str | None = None) -> Node:
    """Add the node of a step, with the configuration that its `meta` carries, else with that of its form."""
    kind = _step_kind(meta.get("node_kind"), step.block)
    label = meta.get("node_label")
    if not isinstance(label, str):
        label = label_of(step.node_id)
    node = drawing.add_node(step.node_id, kind.name, label, x=INDENT * step.depth, after=after)
    carried = meta.get("node_config")
    node["config"] = dict(carried) if isinstance(carried, dict) else settings_of(kind, step, marks)
    return node


def _step_kind(given: JSON, block: ir.AnyBlock) -> StepKind:
    name = given if isinstance(given, str) and fits(given, block) else kind_of(block)
    kind = KINDS[name or ""]
    assert isinstance(kind, StepKind)
    return kind


def add_entry(
    drawing: Drawing, name: str, trigger: ir.Trigger, schema: Mapping[str, str], marks: Marks
) -> Node:
    """Add the entry of a trigger, which the walk calls `name`."""
    kind = entry_kind(trigger.kind)
    label = kind.title if trigger.name == trigger.target_flow else label_of(trigger.name)
    node = drawing.add_node(name, kind.name, label, x=0, like=ENTRY_ID)
    node["config"] = entry_settings(trigger, schema, marks)
    return node


class Edits:
    """Takes over what was edited by hand in steps and triggers of nodes that a document has."""

    def __init__(self, lowered: Lowered, marks: Marks, sink: Sink) -> None:
        self._lowered = lowered
        self._marks = marks
        self._sink = sink
        self.any = False
        """Whether any node was edited."""

    def step(self, node: Node, step: Step, place: int) -> None:
        given = KINDS[node["type"]]
        kind = _step_kind(given.name, step.block)
        if kind is not given:
            _forget(node, known_keys(given) - known_keys(kind))
        node["type"] = kind.name
        moved = [] if kind is given else ["node_kind"]
        self._take_over(node, kind, settings_of(kind, step, self._marks), place, moved)

    def entry(self, node: Node, trigger: ir.Trigger, schema: Mapping[str, str], place: int) -> None:
        given = KINDS[node["type"]]
        kind = entry_kind(trigger.kind)
        if kind is not given and not node.get("outputs"):
            node["outputs"] = [{"id": port.id, "label": port.label} for port in given.outputs]
        if kind is not given:
            _forget(node, known_keys(given) - known_keys(kind))
        node["type"] = kind.name
        wanted = entry_settings(trigger, schema, self._marks)
        self._take_over(node, kind, wanted, place, ["type"] if kind is not given else [])

    def _take_over(
        self, node: Node, kind: EntryKind | StepKind, wanted: Config, place: int, moved: list[str]
    ) -> None:
        config = node.get("config") or {}

        def settings(candidate: Config) -> Config | None:
            return self._lowered.settings(node["id"], kind, candidate)

        before = settings(config)
        if before is None:
            known = known_keys(kind)
            before = {key: value for key, value in config.items() if key in known}
        wanted = settings(wanted) or wanted
        keys = changed_keys(before, wanted)
        if keys:
            node["config"] = edited(kind, config, wanted, keys, settings)
        if keys or moved:
            self.any = True
            what, names = f"node '{node['id']}'", ", ".join([*moved, *keys])
            self._sink.report(EDITED, f"nodes[{place}]", node_id=node["id"], what=what, keys=names)


def _forget(node: Node, keys: set[str]) -> None:
    """Remove what only the kind that a node had knows."""
    node["config"] = {key: value for key, value in (node.get("config") or {}).items() if key not in keys}
