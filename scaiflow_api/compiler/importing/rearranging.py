"""Nodes and edges of a carried graph, brought into line with the steps: what was removed, added, redirected."""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.importing.drawing import Drawing, Edge
from scaiflow_api.compiler.importing.exits import Exit
from scaiflow_api.compiler.importing.nodes import Meta, add_entry, add_step
from scaiflow_api.compiler.importing.settings import Marks
from scaiflow_api.compiler.importing.triggers import Start
from scaiflow_api.compiler.importing.ways import Walk
from scaiflow_api.compiler.kinds import KINDS, EntryKind, StepKind
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT
from scaiflow_api.compiler.rules.imports import ADDED, EDITED, REMOVED
from scaiflow_api.expressions import unwrap

JSON = Any
Ends: TypeAlias = tuple[str, str]
"""Source and target of an edge."""
Arms: TypeAlias = Mapping[str, str | None]
"""By id of an edge that begins an arm or a branch: the condition, None for a branch."""


class Rearranging:
    """Changes a drawing. `changed` says whether it has: nodes or edges were added, removed or redirected."""

    def __init__(self, drawing: Drawing, cut: list[Ends], walk: Walk, sink: Sink) -> None:
        self._drawing = drawing
        self._walk = walk
        self._sink = sink
        self._cut = list(cut)
        """The ends of edges that went together with a node."""
        self._new: set[str] = set()
        self._added: set[str] = set()
        """Ids of the edges that were added."""
        self._places = {way.exit.edge_id: way.exit.place for way in walk.ways if way.exit.edge_id is not None}
        """By id of an edge that begins an arm or a branch: where that stands among the others."""
        self.changed = bool(cut)

    def match_entries(self, starts: list[Start]) -> None:
        """Find the entry of each trigger; remove those without a trigger."""
        entries = {
            node_id: node
            for node_id, node in self._drawing.by_id.items()
            if isinstance(KINDS[node["type"]], EntryKind)
        }
        names = self._drawing.names
        for start in starts:
            if start.name in entries:
                names[start.name] = start.name
                del entries[start.name]
        by_kind: dict[str, deque[str]] = defaultdict(deque)
        for node_id, node in entries.items():
            by_kind[node["type"]].append(node_id)
        for start in starts:
            alike = by_kind[f"entry_{start.trigger.kind}"]
            if start.trigger.node_id is None and alike:
                names[start.name] = alike.popleft()
                del entries[names[start.name]]
        self.remove(entries, "trigger")

    def remove(self, node_ids: Collection[str], counterpart: str) -> None:
        """Remove nodes with their edges."""
        for node_id in node_ids:
            del self._drawing.by_id[node_id]
            report_removed(self._sink, node_id, counterpart)
        if node_ids:
            self.changed = True
            edges, self._drawing.edges = self._drawing.edges, []
            for edge in edges:
                ends = edge["source"]["node"], edge["target"]["node"]
                if ends[0] in node_ids or ends[1] in node_ids:
                    self._cut.append(ends)
                else:
                    self._drawing.edges.append(edge)

    def edit_arms(self, given: Arms, before: Arms) -> None:
        """Take over the conditions of arms; remove the edges whose arms are there no more."""
        if given == before:
            return
        gone = {
            edge["id"] for edge in self._drawing.edges if edge["id"] in before and edge["id"] not in given
        }
        for edge_id in sorted(gone):
            what = f"edge '{edge_id}'"
            self._sink.report(REMOVED, None, edge_id=edge_id, what=what, counterpart="arm or branch")
        if gone:
            self.changed = True
            self._drawing.edges = [edge for edge in self._drawing.edges if edge["id"] not in gone]
        edit_conditions(self._drawing.edges, given, before, self._sink)

    def name_new(self, starts: list[Start]) -> None:
        """Settle the ids of triggers and steps that have no node yet, before those without a name get theirs."""
        drawing = self._drawing
        drawing.name_nodes(
            start.name
            for start in starts
            if start.trigger.node_id is not None and start.name not in drawing.names
        )
        drawing.name_nodes(node_id for node_id in self._walk.steps if not self._has_node(node_id))

    def _has_node(self, node_id: str) -> bool:
        node = self._drawing.by_id.get(node_id)
        return node is not None and isinstance(KINDS[node["type"]], StepKind) and node_id not in self._new

    def add_entries(self, starts: list[Start], params: Mapping[str, Mapping[str, str]], marks: Marks) -> None:
        for start in starts:
            if self._drawing.names.get(start.name) not in self._drawing.by_id:
                schema = params.get(start.trigger.target_flow, {})
                node = add_entry(self._drawing, start.name, start.trigger, schema, marks)
                self._note_new(node["id"])

    def add_steps(self, carried: Mapping[str, Meta], marks: Marks) -> None:
        """Add a node for each step that has none, behind that of the step before it."""
        earlier: dict[str, None] = {}
        before = None
        for node_id, step in self._walk.steps.items():
            if self._has_node(node_id):
                self._drawing.names[node_id] = node_id
            else:
                node = add_step(self._drawing, step, carried.get(node_id, {}), marks, before)
                self._drawing.add_data_edges(step, earlier)
                self._note_new(node["id"])
            earlier[node_id] = None
            before = self._drawing.names[node_id]

    def _note_new(self, node_id: str) -> None:
        self.changed = True
        self._new.add(node_id)
        self._sink.report(ADDED, None, node_id=node_id, what=f"node '{node_id}'")

    def connect(self) -> None:
        """Connect what is new, and what nothing leads to any more, as the steps now stand."""
        if not (self._cut or self._new):
            return
        drawing = self._drawing
        control = [edge for edge in drawing.edges if edge["type"] != "data"]
        leading = {edge["target"]["node"] for edge in control}
        cut_from = {source for source, _ in self._cut} | self._new
        cut_off = {target for _, target in self._cut if target not in leading} | self._new
        joined = {
            (*_ends(edge), _condition(edge))
            for edge in control
            if edge["source"]["node"] in cut_from or edge["target"]["node"] in cut_off
        }
        names, ways = drawing.names, self._walk.ways
        spares = None
        if self._new:
            spares = Spares(control, {(names[way.exit.node], names[way.target]) for way in ways})
        places = {edge["id"]: place for place, edge in enumerate(drawing.edges)}
        wanted = [way for way in ways if names[way.exit.node] in cut_from or names[way.target] in cut_off]
        for way in sorted(wanted, key=lambda way: way.exit.place):
            source, target = names[way.exit.node], names[way.target]
            if (source, target, way.exit.condition) in joined:
                continue
            self.changed = True
            spare = spares.take(source, way.exit) if spares is not None and target in self._new else None
            if spare is None:
                edge_id = drawing.add_edge(way.exit, target)["id"]
                self._places[edge_id] = way.exit.place
                self._added.add(edge_id)
            else:
                end = {"node": target, "port": drawing.input(target)}
                drawing.edges[places[spare["id"]]] = {**spare, "target": end}

    def sort_arms(self) -> None:
        """Bring the edges of each port into the order of the arms or branches that they begin."""
        ports: dict[tuple[str, str], list[int]] = defaultdict(list)
        edges, places = self._drawing.edges, self._places
        for index, edge in enumerate(edges):
            if edge["id"] in places:
                source = edge["source"]
                ports[source["node"], source["port"]].append(index)
        for (node_id, _), indexes in ports.items():
            order = [places[edges[index]["id"]] for index in indexes]
            if order == sorted(order):
                continue
            given = [edges[index] for index in indexes]
            wanted = sorted(given, key=lambda edge: self._places[edge["id"]])
            for index, edge in zip(indexes, wanted, strict=True):
                edges[index] = edge
            if wanted != given and not any(edge["id"] in self._added for edge in given):
                self.changed = True
                what = f"node '{node_id}'"
                self._sink.report(
                    EDITED, None, node_id=node_id, what=what, keys="the order of its arms or branches"
                )


class Spares:
    """Edges that may have led on from nodes before something was put in the place of where they lead."""

    def __init__(self, edges: list[Edge], implied: Collection[Ends]) -> None:
        """`implied` are the ends of edges that are where they belong."""
        self._by_id = {edge["id"]: edge for edge in edges}
        self._alike: dict[tuple[str, bool, str | None], deque[Edge]] = defaultdict(deque)
        for edge in edges:
            if _ends(edge) not in implied:
                source = edge["source"]
                self._alike[source["node"], source["port"] == BODY_PORT, _condition(edge)].append(edge)

    def take(self, source: str, start: Exit) -> Edge | None:
        """Return, only once, the edge that led on from an exit of a node; None if there is none."""
        if start.edge_id is not None:
            edge = self._by_id.get(start.edge_id)
            return (
                None if edge is None or edge["source"]["node"] != source else self._by_id.pop(start.edge_id)
            )
        alike = self._alike[source, start.port == BODY_PORT, start.condition]
        while alike:
            edge = self._by_id.pop(alike.popleft()["id"], None)
            if edge is not None:
                return edge
        return None


def _ends(edge: Edge) -> Ends:
    return edge["source"]["node"], edge["target"]["node"]


def edit_conditions(edges: list[Edge], given: Arms, before: Arms, sink: Sink) -> None:
    """Take over the conditions of arms."""
    changed = {edge_id: condition for edge_id, condition in given.items() if before.get(edge_id) != condition}
    for place, edge in enumerate(edges) if changed else ():
        condition = changed.get(edge["id"])
        if condition is None or edge["type"] != "conditional":
            continue
        if _condition(edge) != condition:
            edges[place] = {**edge, "condition": condition}
            path, what = f"edges[{place}].condition", f"edge '{edge['id']}'"
            sink.report(EDITED, path, edge_id=edge["id"], what=what, keys="its condition")


def _condition(edge: Edge) -> str | None:
    """Return the condition of a conditional edge as a manifest has it."""
    return unwrap(edge.get("condition") or "")[0] if edge["type"] == "conditional" else None


def report_removed(sink: Sink, node_id: str, counterpart: str) -> None:
    sink.report(REMOVED, None, node_id=node_id, what=f"node '{node_id}'", counterpart=counterpart)
