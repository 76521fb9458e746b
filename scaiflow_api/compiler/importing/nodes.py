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
    same,
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
    """Takes over what was edited by hand in steps and triggers of nodes that a document has.

    Edited nodes take their places among `nodes`, which are named by these places.
    """

    def __init__(self, nodes: list[Node], lowered: Lowered, marks: Marks, sink: Sink) -> None:
        self._nodes = nodes
        self._lowered = lowered
        self._marks = marks
        self._sink = sink
        self.any = False
        """Whether any node was edited."""

    def step(self, place: int, step: Step, *, default_role: str | None = None) -> None:
        """`default_role`: that of a manifest whose steps leave out what their `meta` says."""
        given = KINDS[self._nodes[place]["type"]]
        kind = _step_kind(given.name, step.block)
        if kind is not given:
            self._change_kind(place, kind)
        moved = [] if kind is given else ["node_kind"]
        wanted = settings_of(kind, step, self._marks)
        if default_role is not None:
            wanted = self._completed(place, kind, wanted, default_role)
        self._take_over(place, kind, wanted, moved)

    def entry(self, place: int, trigger: ir.Trigger, schema: Mapping[str, str]) -> None:
        given = KINDS[self._nodes[place]["type"]]
        kind = entry_kind(trigger.kind)
        if kind is not given:
            if not self._nodes[place].get("outputs"):
                outputs = [{"id": port.id, "label": port.label} for port in given.outputs]
                self._nodes[place] = {**self._nodes[place], "outputs": outputs}
            self._change_kind(place, kind)
        moved = [] if kind is given else ["type"]
        self._take_over(place, kind, entry_settings(trigger, schema, self._marks), moved)

    def _change_kind(self, place: int, kind: EntryKind | StepKind) -> None:
        """Give a node another kind, and take from it what only the one that it had knows."""
        node = self._nodes[place]
        gone = known_keys(KINDS[node["type"]]) - known_keys(kind)
        config = {key: value for key, value in (node.get("config") or {}).items() if key not in gone}
        self._nodes[place] = {**node, "type": kind.name, "config": config}

    def _completed(self, place: int, kind: StepKind, stated: Config, default_role: str) -> Config:
        """Return what a step states, and for the rest what the configuration of its node says."""
        node = self._nodes[place]
        said = self._said(node, kind)
        if stated.get("llm_role") == default_role:
            # A step that names no role has this one.
            stated = {key: value for key, value in stated.items() if key != "llm_role"}
        return said | stated

    def _said(self, node: Node, kind: EntryKind | StepKind) -> Config:
        """Return what the configuration of a node means; where the kind does not take it, what it knows of it."""
        config = node.get("config") or {}
        settings = self._lowered.settings(node["id"], kind, config)
        if settings is not None:
            return settings
        known = known_keys(kind)
        return {key: value for key, value in config.items() if key in known}

    def _take_over(self, place: int, kind: EntryKind | StepKind, wanted: Config, moved: list[str]) -> None:
        node = self._nodes[place]
        config = node.get("config") or {}

        def settings(candidate: Config) -> Config | None:
            return self._lowered.settings(node["id"], kind, candidate)

        keys: list[str] = []
        if not same(config, wanted):
            before = self._said(node, kind)
            wanted = settings(wanted) or wanted
            keys = changed_keys(before, wanted)
        if keys:
            self._nodes[place] = {**node, "config": edited(kind, config, wanted, keys, settings)}
        if keys or moved:
            self.any = True
            what, names = f"node '{node['id']}'", ", ".join([*moved, *keys])
            self._sink.report(EDITED, f"nodes[{place}]", node_id=node["id"], what=what, keys=names)
