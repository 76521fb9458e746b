"""Which names a flow offers, who offers them, and from where they can be seen.

Names come with the trigger's input, from flow variables, from the results of nodes, from loops for their rounds,
and from bindings and data edges for one node alone. A round and a branch have frames of their own: what nodes
yield in a round is seen there alone, what they yield in a branch also after the branches have joined.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from functools import cached_property

from msgspec import Struct

from scaiflow_api.compiler.graph.flow import FlowEdge, FlowNode, FlowView, short_id
from scaiflow_api.compiler.graph.regions import Chain, Region, Regions
from scaiflow_api.compiler.kinds.base import EntryConfig
from scaiflow_api.compiler.kinds.data_variable_set import DataVariableSetConfig
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT, LogicLoopConfig
from scaiflow_api.compiler.rules.expressions import Place
from scaiflow_api.expressions import RESERVED_WORDS
from scaiflow_api.flowgraph.models import Variable


class Origin(Enum):
    """Where the value of a name comes from."""

    INPUT = auto()
    VARIABLE = auto()
    ASSIGNMENT = auto()
    RESULT = auto()
    LOOP = auto()
    LOCAL = auto()
    BINDING = auto()


NOT_OFFERED = frozenset({"input", "output", "result"})
"""What a result, a field or a binding cannot be called in an expression."""
OWN_RESULT = frozenset({"result", "output"})
"""Names of the node's own result, in `validate` alone."""
BINDINGS = ("input_bindings", "context_bindings")
LOOP_FIELDS = frozenset({"collect", "condition"})
"""The fields of a loop that see a round."""


def cannot_be_read(name: str) -> str | None:
    """Return why an expression that says this word does not get the variable of that name, or None."""
    if name == "input":
        return "`input` is always what the run was given"
    return f"`{name}` is a word of the language" if name in RESERVED_WORDS else None


class Offer(Struct, frozen=True, gc=False):
    """One name that the document brings into scope."""

    field: str
    """Where it stands: in the node, or in the edge, or in the document."""
    name: str
    origin: Origin
    node: FlowNode | None = None
    edge: FlowEdge | None = None

    @property
    def path(self) -> str:
        owner = self.edge or self.node
        return self.field if owner is None else f"{owner.path}.{self.field}"


MANY_PRODUCERS = 64
"""A name that more nodes offer is not judged: each use would be held against each of them."""


class Scope:
    """The names of a flow. Without regions, because the graph has cycles, everything is seen everywhere."""

    def __init__(self, view: FlowView, regions: Regions | None) -> None:
        self.regions = regions
        self.assignments: list[Offer] = []
        """Those of nodes to variables, in the order of the document."""
        self.given: set[str] = {"input"}
        """Names that the input may bring, as far as the document says so."""
        self.variables: dict[str, Variable] = {item.name: item for item in view.graph.variables}
        self.producers: dict[str, list[int]] = defaultdict(list)
        """Name → the nodes whose result, or a field of it, has it."""
        self.assigners: dict[str, list[int]] = defaultdict(list)
        """Name → the nodes that assign a variable of that name."""
        self.loops: dict[str, list[int]] = defaultdict(list)
        """Name → the loops whose rounds have a variable of that name."""
        self.rounds: dict[int, set[str]] = defaultdict(set)
        """Loop → the names of the variables of its rounds."""
        self.local: dict[int, set[str]] = defaultdict(set)
        """By node: the names of its data values."""
        self.bound: dict[int, set[str]] = defaultdict(set)
        """By node: the names of its bindings. They see what is around, not each other."""
        self.meant: set[str] = set()
        """Names that unknown names probably misspell, as `names` finds them."""
        for fixture in view.graph.tests:
            self.given.update(fixture.input)
        for offer in offers(view):
            self._file(offer)
        self._view = view

    def _file(self, offer: Offer) -> None:
        place = offer.node.index if offer.node is not None else -1
        match offer.origin:
            case Origin.INPUT:
                self.given.add(offer.name)
            case Origin.RESULT if offer.name not in NOT_OFFERED:
                _append_once(self.producers[offer.name], place)
            case Origin.ASSIGNMENT:
                self.assignments.append(offer)
                _append_once(self.assigners[offer.name], place)
            case Origin.LOOP:
                self.loops[offer.name].append(place)
                self.rounds[place].add(offer.name)
            case Origin.LOCAL:
                self.local[place].add(offer.name)
            case Origin.BINDING:
                self.bound[place].add(offer.name)

    @cached_property
    def known(self) -> frozenset[str]:
        """Every name that a node may see somewhere, but for loop variables and what is local to one node."""
        return frozenset({*self.given, *self.variables, *self.producers, *self.assigners})

    @cached_property
    def input_schema(self) -> Mapping[str, str] | None:
        """Name → type of what a run may be given; None where an entry does not say.

        A name that several entries declare differently has the type that the first of them gives it.
        """
        fields: dict[str, str] = {}
        for entry in reversed(self._view.entries):
            config = self._view.configs.get(entry.index)
            if not isinstance(config, EntryConfig) or config.input_schema is None:
                return None
            fields |= config.input_schema
        return fields if self._view.entries else None

    def is_crowded(self, name: str) -> bool:
        """Return whether so many nodes offer a name that nothing is said about it."""
        return max(len(self.producers.get(name, ())), len(self.assigners.get(name, ()))) > MANY_PRODUCERS

    def level(self, place: Place) -> Chain:
        """Return the regions whose names the text at a place can see, the outermost first."""
        if self.regions is None:
            return ()
        chain = self.regions.chains[place.node]
        if not place.is_of_loop:
            return chain
        inside = place.edge.source_port == BODY_PORT if place.edge else place.field in LOOP_FIELDS
        return (*chain, *self.regions.of(place.node)) if inside else chain

    def own_names(self, place: Place) -> AbstractSet[str]:
        """Return the names that a node has for itself: bindings, data values, in `validate` its result."""
        own: AbstractSet[str] = (
            OWN_RESULT if place.field == "validate" and place.edge is None else frozenset()
        )
        of_node = [self.local.get(place.node)]
        if place.edge is not None or not place.field.startswith(BINDINGS):
            of_node.append(self.bound.get(place.node))
        for names in of_node:
            if names is not None:
                own = own | names if own else names
        return own

    def hiding(self, producer: int, level: Chain) -> Region | None:
        """Return the region whose end keeps a node's result from being seen at a level; None where it is seen."""
        if self.regions is None:
            return None
        for region in self.regions.chains[producer]:
            if region in level:
                continue
            if region.is_body or any(other.owner == region.owner for other in level):
                return region
        return None

    def of_rounds(self, level: Chain) -> AbstractSet[str]:
        """Return the names of the loop variables that are seen at a level."""
        if self.regions is None:
            return self.loops.keys()
        return frozenset[str]().union(
            *(self.rounds.get(region.owner, ()) for region in level if region.is_body)
        )


def _append_once(places: list[int], place: int) -> None:
    """Offers come node by node, so a place that is known is the last one."""
    if not places or places[-1] != place:
        places.append(place)


def offers(view: FlowView) -> Iterator[Offer]:
    """Yield every name that the document brings into scope."""
    for index, variable in enumerate(view.graph.variables):
        yield Offer(f"variables[{index}].name", variable.name, Origin.VARIABLE)
    for node in view.nodes:
        yield Offer("id", short_id(node.id), Origin.RESULT, node)
        if short_id(node.id) != node.id:
            yield Offer("id", node.id, Origin.RESULT, node)
        yield from _offers_of_config(node, view)
    for edge in view.edges:
        if edge.type == "data":
            yield Offer("target.port", edge.target_port, Origin.LOCAL, view.nodes[edge.target], edge)


def _offers_of_config(node: FlowNode, view: FlowView) -> Iterator[Offer]:
    raw = node.config
    binding = raw.get("result_binding")
    if isinstance(binding, str):
        yield Offer("config.result_binding", binding, Origin.RESULT, node)
    for key, origin in (
        ("output_schema", Origin.RESULT),
        ("input_schema", Origin.INPUT),
        ("input_bindings", Origin.BINDING),
        ("context_bindings", Origin.BINDING),
    ):
        given = raw.get(key)
        if origin is Origin.BINDING and node.type == "subflow_call":
            # What these bind is the input of the other flow.
            continue
        for name in sorted(given) if isinstance(given, dict) else ():
            yield Offer(f"config.{key}.{name}", name, origin, node)
    match view.configs.get(node.index):
        case DataVariableSetConfig() as config:
            for where, item in config.places():
                yield Offer(f"config.{where}", item.variable, Origin.ASSIGNMENT, node)
        case LogicLoopConfig(style="foreach") as config:
            yield Offer("config.item_var", config.item_var, Origin.LOOP, node)
            if config.index_var is not None:
                yield Offer("config.index_var", config.index_var, Origin.LOOP, node)
