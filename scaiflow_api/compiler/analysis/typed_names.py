"""What is known of the values behind names, at every place of a flow."""

from collections.abc import Iterator, Mapping, Sequence

from scaiflow_api.compiler.analysis.inference import Inference, Known
from scaiflow_api.compiler.analysis.results import result_shape
from scaiflow_api.compiler.analysis.scope import OWN_RESULT, Scope
from scaiflow_api.compiler.analysis.shapes import LIST, NUMBER, TEXT, Shape, common, declared, record
from scaiflow_api.compiler.graph.flow import FlowView, short_id
from scaiflow_api.compiler.graph.regions import Chain, Regions
from scaiflow_api.compiler.kinds.base import EntryConfig
from scaiflow_api.compiler.kinds.logic_loop import LogicLoopConfig
from scaiflow_api.compiler.rules.expressions import Place, Use
from scaiflow_api.compiler.suggest import Suggestions

TELLING_FIELDS = frozenset({"items", "template"})
"""The fields that say what a loop goes through, and what a text becomes."""


class TypedNames:
    """Shapes of names: of results, variables, input and loop variables. Needs a flow without cycles."""

    def __init__(self, view: FlowView, regions: Regions, scope: Scope, uses: Sequence[Use]) -> None:
        self._view = view
        self._scope = scope
        self._results: dict[int, Shape] = {}
        self._items: dict[int, Shape | None] = {}
        """By loop: what the item of a round is."""
        self._variables = {name: declared(item.type) for name, item in scope.variables.items()}
        self._input = _input_shape(scope.input_schema)
        self._offers: dict[tuple[str, Chain], Shape | None] | None = None
        """What is known of the names that are seen at a level, once all nodes have been looked at."""
        telling = {
            (use.place.node, use.place.field): use for use in uses if use.place.field in TELLING_FIELDS
        }
        for node in regions.ranked:
            self._learn(node, telling)
        self._offers = {}
        self.typed = frozenset({*self._typed_names(), *OWN_RESULT})
        """The names that something may be known of."""

    def _typed_names(self) -> Iterator[str]:
        yield from (name for name, shape in self._variables.items() if shape is not None)
        yield from self._scope.loops
        yield from () if self._input is None else ("input", *(self._input.fields or ()))
        for name, nodes in self._scope.producers.items():
            if not self._results.keys().isdisjoint(nodes):
                yield name

    def known(self, place: Place) -> Known:
        """Return the function from a root name to what is known of its value at a place."""
        level = self._scope.level(place)
        found: dict[str, Shape | None] = {}

        def shape(name: str) -> Shape | None:
            if name not in found:
                found[name] = self._named(name, place, level)
            return found[name]

        return shape

    def _learn(self, node: int, telling: Mapping[tuple[int, str], Use]) -> None:
        """Find out what a node yields; all that it can see has been looked at before."""
        config = self._view.configs.get(node)
        if config is None:
            return
        shape = result_shape(config)
        match config, self._view.nodes[node].type:
            case EntryConfig(), _:
                shape = _input_shape(config.input_schema)
            case LogicLoopConfig(style="foreach"), _:
                items = self._read(telling.get((node, "items")))
                self._items[node] = items.item if items is not None and items.sort == "list" else None
                shape = LIST
            case _, "llm_rigid":
                use = telling.get((node, "template"))
                shape = TEXT if use is None else self._read(use)
        if shape is not None:
            self._results[node] = shape

    def _read(self, use: Use | None) -> Shape | None:
        return None if use is None else Inference(self.known(use.place), Suggestions(0)).read(use.read)

    def _named(self, name: str, place: Place, level: Chain) -> Shape | None:
        """Look a name up where it is strongest first; what may come from two places is what both have in common."""
        if name in OWN_RESULT:
            own = place.field == "validate" and place.edge is None
            return self._results.get(place.node) if own else None
        if name in self._scope.own_names(place):
            return None
        if name == "input":
            return self._input
        for region in reversed(level):
            if region.is_body and name in self._scope.rounds.get(region.owner, ()):
                return self._round_variable(name, region.owner)
        if self._offers is None:
            return self._offered_at(name, level)
        if (name, level) not in self._offers:
            self._offers[name, level] = self._offered_at(name, level)
        return self._offers[name, level]

    def _offered_at(self, name: str, level: Chain) -> Shape | None:
        if self._scope.is_crowded(name):
            return None
        shapes = [
            self._offered(name, node)
            for node in self._scope.producers.get(name, ())
            if self._scope.hiding(node, level) is None
        ]
        if name in self._scope.variables:
            shapes.append(self._variables[name])
        elif name in self._scope.assigners:
            return None
        if self._input is not None and self._input.fields is not None and name in self._input.fields:
            shapes.append(self._input.fields[name])
        return common(shapes)

    def _round_variable(self, name: str, loop: int) -> Shape | None:
        config = self._view.configs.get(loop)
        is_index = isinstance(config, LogicLoopConfig) and name == config.index_var
        return NUMBER if is_index else self._items.get(loop)

    def _offered(self, name: str, node: int) -> Shape | None:
        """Return what a node offers under a name: its result, or a field of it."""
        offering, result = self._view.nodes[node], self._results.get(node)
        if result is None or name in (
            offering.id,
            short_id(offering.id),
            offering.config.get("result_binding"),
        ):
            return result
        return result.fields.get(name) if result.fields is not None else None


def _input_shape(schema: Mapping[str, str] | None) -> Shape | None:
    return None if schema is None else record({name: declared(text) for name, text in schema.items()})
