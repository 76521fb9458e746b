"""SF302, SF303: names that are not bound on every path, and variables that rounds running at once assign."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from scaiflow_api.compiler.analysis.certainty import Certainty
from scaiflow_api.compiler.analysis.occurrences import occurrences
from scaiflow_api.compiler.analysis.scope import Scope
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowEdge, FlowView
from scaiflow_api.compiler.graph.regions import Chain, Regions
from scaiflow_api.compiler.kinds.data_variable_set import DataVariableSetConfig
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT, LogicLoopConfig
from scaiflow_api.compiler.rules.expressions import Place, Use
from scaiflow_api.expressions import Expression
from scaiflow_api.expressions.syntax import Literal

LOOP_HEADS = frozenset({"items", "condition"})
"""What a loop reads before a round; where it goes on, these had a value."""


def _node(node_id: str, kind: str, **config: Any) -> dict[str, Any]:
    place = {"position": {"x": 0, "y": 0}}
    return {"id": node_id, "type": kind, "label": node_id, **place, "config": config}


def _edge(edge_id: str, source: str, port: str, target: str, **more: str) -> dict[str, Any]:
    ends = {"source": {"node": source, "port": port}, "target": {"node": target, "port": "in"}}
    return {"id": edge_id, "type": "conditional" if more else "sequential", **ends, **more}


MAY_BE_UNBOUND = Rule(
    "SF302",
    "may-be-unbound",
    "{owner}: {field} uses '{name}', {reason}",
    severity=WARNING,
    what=(
        "An expression uses the result of a node, or a variable without a default, that no node has offered yet "
        "on some path to here. Uses with `??`, beside a test for null, or below a condition on the same name are "
        "not reported; nor are names that the input, as far as the document shows it, also brings."
    ),
    why="On those paths the name is null, and arithmetic, comparisons and methods on null fail.",
    example={
        "nodes": [
            _node("node_entry", "entry_api"),
            _node("node_check", "llm_rigid", template="ok"),
            _node("node_answer", "llm_rigid", template="Checked: {{ check }}"),
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_check", condition="input.amount > 100"),
            _edge("edge_2", "node_entry", "out_request", "node_answer"),
            _edge("edge_3", "node_check", "out", "node_answer"),
        ],
    },
)
MERGED_VARIABLE = Rule(
    "SF303",
    "assigned-by-concurrent-rounds",
    "loop '{loop}' runs rounds at the same time, and node '{node}' in its body assigns '{name}'",
    severity=WARNING,
    what="A `foreach` with `max_concurrent` above 1 has a body that assigns a flow variable.",
    why=(
        "Each round works on a copy. The copies are merged in the order of the items, so that the last assignment "
        "counts: a counter or a sum is wrong then."
    ),
    example={
        "nodes": [
            _node("node_entry", "entry_api"),
            _node("node_each", "logic_loop", items="input.orders", max_concurrent=4),
            _node("node_add", "data_variable_set", variable="total", value="{{ total + item.amount }}"),
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_each"),
            _edge("edge_2", "node_each", BODY_PORT, "node_add"),
        ],
        "variables": [{"name": "total", "type": "float", "default": 0}],
    },
)

RULES = (MAY_BE_UNBOUND, MERGED_VARIABLE)


def check(view: FlowView, regions: Regions, scope: Scope, uses: Sequence[Use], sink: Sink) -> None:
    _check_rounds(view, regions, sink)
    bits = _name_bits(scope, uses)
    if bits:
        _Check(view, regions, scope, uses, bits, sink).run()


def _check_rounds(view: FlowView, regions: Regions, sink: Sink) -> None:
    fix = "set max_concurrent to 1, or collect a value from each round and join them afterwards"
    for index, config in view.configs.items():
        if not isinstance(config, DataVariableSetConfig):
            continue
        node, names = view.nodes[index].id, dict.fromkeys(item.variable for _, item in config.places())
        for region in regions.chains[index]:
            loop = view.configs.get(region.owner)
            if not region.is_body or not isinstance(loop, LogicLoopConfig) or loop.max_concurrent == 1:
                continue
            owner = view.nodes[region.owner]
            path, ids = f"{owner.path}.config.max_concurrent", {"node_id": owner.id, "loop": owner.id}
            for name in names:
                sink.report(MERGED_VARIABLE, path, **ids, fix=fix, node=node, name=name)
                if sink.has_enough:
                    # Loops inside of each other, times variables, may be many more.
                    return


def _name_bits(scope: Scope, uses: Sequence[Use]) -> Mapping[str, int]:
    """Return a bit for each name that is used and that only a node that runs first can bind."""
    settled = {*scope.given, "output", "result"}
    settled.update(name for name, item in scope.variables.items() if "default" in item.model_fields_set)
    offered = (scope.producers.keys() | scope.assigners.keys()) - settled
    used = frozenset[str]().union(*(use.names for use in uses)) & offered
    return {name: 1 << place for place, name in enumerate(sorted(used))}


class _Check(Struct, frozen=True):
    view: FlowView
    regions: Regions
    scope: Scope
    uses: Sequence[Use]
    bits: Mapping[str, int]
    sink: Sink
    found: dict[tuple[str, int, bool, bool, Chain], tuple[list[int], list[int]]] = field(default_factory=dict)
    """What `_offering` has found; thousands of texts in one node may use the same name."""

    def run(self) -> None:
        offered = self._offered()
        looked_at, always_taken, heads = self._conditions()
        certainty = Certainty(self.view, self.regions.ranked, offered, looked_at, always_taken)
        for use in self.uses:
            mine = [name for name in use.names if name in self.bits]
            if not mine:
                continue
            bound = self._bound(use, certainty, offered, heads)
            level = self.scope.level(use.place)
            own, rounds = self.scope.own_names(use.place), self.scope.of_rounds(level)
            for name in sorted(mine):
                if name not in own and name not in rounds:
                    self._check_name(use, name, level, certain=bool(bound & self.bits[name]))

    def _offered(self) -> dict[int, int]:
        offered: dict[int, int] = {}
        for nodes_by_name in (self.scope.producers, self.scope.assigners):
            for name in self.bits.keys() & nodes_by_name.keys():
                for node in nodes_by_name[name]:
                    offered[node] = offered.get(node, 0) | self.bits[name]
        return offered

    def _conditions(self) -> tuple[dict[FlowEdge, int], frozenset[int], dict[int, int]]:
        """Return what conditions make sure of, the edges that are always taken, and what nodes test first."""
        looked_at: dict[FlowEdge, int] = {}
        always_taken = []
        heads: dict[int, int] = {}
        for use in self.uses:
            edge, field = use.place.edge, use.place.field
            if edge is not None:
                looked_at[edge] = self._bits_of(use.names)
                if isinstance(use.read, Expression) and _is_true(use.read):
                    always_taken.append(edge.index)
            elif field == "guard" or (field in LOOP_HEADS and use.place.is_of_loop):
                heads[use.place.node] = heads.get(use.place.node, 0) | self._bits_of(use.names)
        return looked_at, frozenset(always_taken), heads

    def _bits_of(self, names: frozenset[str]) -> int:
        return sum(self.bits[name] for name in names if name in self.bits)

    def _bound(self, use: Use, certainty: Certainty, offered: dict[int, int], heads: dict[int, int]) -> int:
        """Return what is bound for certain at the place of a use."""
        place, node = use.place, use.place.node
        bound = certainty.before[node]
        if place.edge is not None:
            return bound | heads.get(node, 0) | (0 if _begins_round(place) else offered.get(node, 0))
        if place.field == "collect":
            return bound | heads.get(node, 0) | certainty.in_round.get(node, 0)
        return bound if place.field in {"guard", *LOOP_HEADS} else bound | heads.get(node, 0)

    def _check_name(self, use: Use, name: str, level: Chain, *, certain: bool) -> None:
        if self.scope.is_crowded(name):
            return
        offering, early = self._offering(name, use.place, level)
        if not offering:
            return
        if (early and certain) or all(seen.expects_null for seen in _seen(use, name)):
            return
        displaced, sources = self.view.displaced, self.view.torn.sources
        if any(node in displaced or node in sources for node in (use.place.node, *offering)):
            # Whether it is bound depends on an edge that is broken, which is reported already.
            return
        if not early:
            # What a round assigns is there in the next one.
            assigners = self.scope.assigners.get(name, ())
            early = [node for node in assigners if self._share_rounds(node, level)]
        if early:
            do = "do" if len(early) > 1 else "does"
            reason = f"which may be unbound: {self._named(early)} {do} not run on every path to here"
            fix = "say with ?? what holds otherwise, or test it for null"
        else:
            late = list(dict.fromkeys(offering))
            run = "run" if len(late) > 1 else "runs"
            reason = f"which is not bound yet: {self._named(late)} {run} later"
            fix = f"let {self._named(late[:1])} run first"
            if late == [use.place.node]:
                reason, fix = "which is not bound yet: it is the result of this very node", "use another name"
        use.place.report(MAY_BE_UNBOUND, self.sink, fix=fix, name=name, reason=reason)

    def _offering(self, name: str, place: Place, level: Chain) -> tuple[list[int], list[int]]:
        """Return the nodes that offer a name at a place, and those of them that can have run by then."""
        key = (name, place.node, place.edge is None, _begins_round(place), level)
        if key not in self.found:
            seen = (node for node in self.scope.producers.get(name, ()) if not self.scope.hiding(node, level))
            offering = [*seen, *self.scope.assigners.get(name, ())]
            early = [node for node in offering if self._is_earlier(node, place, level)]
            self.found[key] = offering, early
        return self.found[key]

    def _named(self, nodes: list[int]) -> str:
        names = [f"'{self.view.nodes[node].id}'" for node in nodes]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return f"node {names[0]}" if len(names) == 1 else f"nodes {', '.join(names[:2])}{more}"

    def _share_rounds(self, node: int, level: Chain) -> bool:
        chain = self.regions.chains[node]
        return any(region.is_body and region in chain for region in level)

    def _is_earlier(self, node: int, place: Place, level: Chain) -> bool:
        """Return whether a node that offers a name can have run when a text is evaluated."""
        user = place.node
        if node == user:
            return place.edge is not None and not _begins_round(place)
        chain = self.regions.chains[node]
        shared = tuple(region for region, other in zip(chain, level, strict=False) if region is other)
        if len(shared) > len(self.regions.chains[user]):
            # A loop looks at a round of its own: at the last one, or at the one that begins.
            return place.edge is None
        ours, theirs = (self.regions.representative(item, shared) for item in (user, node))
        return ours is not None and theirs is not None and self.regions.rank[theirs] < self.regions.rank[ours]


def _begins_round(place: Place) -> bool:
    """Return whether a condition stands on an edge into the body of a loop."""
    return place.edge is not None and place.edge.source_port == BODY_PORT and place.is_of_loop


def _is_true(expression: Expression) -> bool:
    return isinstance(expression.root, Literal) and expression.root.value is True


def _seen(use: Use, name: str) -> Iterator[Any]:
    for expression in use.expressions:
        if name in expression.names:
            yield from (seen for seen in occurrences(expression.root) if seen.name == name)
