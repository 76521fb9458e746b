"""Graphs at the limits: chains, ladders, fans, layers, cycles, many entries, loops and parallels."""

from collections.abc import Callable
from itertools import islice, pairwise, product
from random import Random

from compiler.compiler_documents import JSON
from compiler.compiler_hostile_shapes import Shape, Size, Way, edge, flow, in_turn, names, node

SHAPES: dict[str, Shape] = {}


def shape(build: Shape) -> Shape:
    SHAPES[build.__name__] = build
    return build


def decisions(ids: list[str]) -> list[JSON]:
    return [node(name, "logic_decision") for name in ids]


@shape
def chain(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow(map(node, ids), in_turn(ids))


@shape
def chain_listed_backwards(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow(map(node, reversed(ids)), in_turn(ids))


@shape
def chain_of_decisions(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow(decisions(ids), ((*way, "a") for way in in_turn(ids)))


@shape
def decisions_that_may_all_leave(size: Size) -> JSON:
    """Every decision of a chain has a second way, to the one last node."""
    ids = names(size.nodes - 2)
    ways = [*((*way, "a") for way in in_turn(ids)), *((name, "last", "b") for name in ids)]
    return flow([*decisions(ids), node("last")], ways)


@shape
def diamonds(size: Size) -> JSON:
    nodes: list[JSON] = []
    ways: list[Way] = []
    before = "entry"
    for name in names((size.nodes - 1) // 4):
        nodes += [node(name, "logic_decision"), *(node(f"{name}{side}") for side in "abj")]
        ways += [(before, name), (name, f"{name}a", "a"), (name, f"{name}b")]
        ways += [(f"{name}{side}", f"{name}j") for side in "ab"]
        before = f"{name}j"
    return flow(nodes, ways)


@shape
def diamonds_inside_diamonds(size: Size) -> JSON:
    """Decisions open one inside the other, half of the nodes deep, and their joins close in reverse."""
    ids = names((size.nodes - 1) // 2)
    ways: list[Way] = [(*way, "a") for way in in_turn(ids)]
    ways += [(name, f"{name}j") for name in ids]
    ways += [(f"{second}j", f"{first}j") for first, second in pairwise(ids)]
    return flow([*decisions(ids), *(node(f"{name}j") for name in reversed(ids))], ways)


@shape
def ladder(size: Size) -> JSON:
    left, right = names((size.nodes - 1) // 2, "l"), names((size.nodes - 1) // 2, "r")
    ways = [*in_turn(left), *in_turn(right), *zip(left, right, strict=True)]
    return flow([*map(node, left), *map(node, right)], ways)


@shape
def ladder_of_decisions(size: Size) -> JSON:
    left, right = names((size.nodes - 1) // 2, "l"), names((size.nodes - 1) // 2, "r")
    rungs = [*zip(left, right, strict=True), *zip(right, left[1:], strict=False)]
    nodes = decisions([name for pair in zip(left, right, strict=True) for name in pair])
    return flow(nodes, ((*way, "a") for way in (*in_turn(left), *in_turn(right), *rungs)))


@shape
def fan_out_and_in(size: Size) -> JSON:
    ids = names(size.nodes - 2)
    ways = [*(("entry", name) for name in ids), *((name, "last") for name in ids)]
    return flow([*map(node, ids), node("last")], ways)


@shape
def match_of_many_arms(size: Size) -> JSON:
    ids = names(size.nodes - 3)
    ways = [("entry", "n"), *(("n", name, f"'{name}'") for name in ids), *((name, "last") for name in ids)]
    return flow(
        [node("n", "logic_decision", style="match", subject="a"), *map(node, ids), node("last")], ways
    )


@shape
def many_ways_to_one_node(size: Size) -> JSON:
    ways = [("n", "m", f"a == {number}") for number in range(size.edges - 1)]
    return flow([node("n", "logic_decision"), node("m")], [("entry", "n"), *ways])


def layers(size: Size, width: int, count: int, kind: str, *condition: str) -> JSON:
    """Return layers of nodes, each of which has an edge to each of the next layer."""
    rows = [[f"n{row}_{place}" for place in range(width)] for row in range(count)]
    ways: list[Way] = [("entry", name) for name in rows[0]]
    ways += [(*ends, *condition) for pair in pairwise(rows) for ends in product(*pair)]
    return flow((node(name, kind) for row in rows for name in row), ways[: size.edges])


@shape
def layers_complete(size: Size) -> JSON:
    return layers(size, size.side(70), 5, "llm_rigid")


@shape
def layers_of_decisions(size: Size) -> JSON:
    return layers(size, size.side(70), 5, "logic_decision", "a")


@shape
def layers_wide(size: Size) -> JSON:
    return layers(size, size.side(99), 3, "logic_decision", "a")


@shape
def layers_narrow(size: Size) -> JSON:
    return layers(size, 4, size.part(1_249), "logic_decision", "a")


@shape
def everything_before_everything(size: Size) -> JSON:
    ids = names(size.side(200))
    ways = ((ids[first], ids[second], "a") for second in range(len(ids)) for first in range(second))
    return flow(decisions(ids), [("entry", "n0"), *islice(ways, size.edges - 1)])


def drawn(size: Size, condition: Callable[[Random], str | None], kind: str) -> JSON:
    rng = Random(7)
    ids = names(size.nodes - 1)
    places = [sorted(rng.sample(range(len(ids)), 2)) for _ in range(size.edges - size.nodes)]
    nodes = [node(name, kind) for name in ids]
    rng.shuffle(nodes)
    return flow(nodes, [*in_turn(ids), *((ids[a], ids[b], condition(rng)) for a, b in places)])


@shape
def drawn_plain(size: Size) -> JSON:
    return drawn(size, lambda rng: None, "llm_rigid")


@shape
def drawn_decisions(size: Size) -> JSON:
    return drawn(size, lambda rng: rng.choice(["a", "b", "true"]), "logic_decision")


@shape
def drawn_mixed(size: Size) -> JSON:
    return drawn(size, lambda rng: rng.choice([None, "a"]), "logic_decision")


@shape
def drawn_near(size: Size) -> JSON:
    """Edges lead a few ranks on only, and most of them upon a condition."""
    rng = Random(11)
    ids = names(size.nodes - 1)
    ways: list[Way] = [("entry", "n0")]
    for place, name in enumerate(ids[:-1]):
        targets = [min(place + rng.randint(1, 9), len(ids) - 1) for _ in range(4)]
        ways += [(name, ids[target], rng.choice(["a", "b", None])) for target in targets]
    return flow(decisions(ids), ways[: size.edges])


@shape
def cycle_of_all(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow(map(node, ids), [*in_turn(ids), (ids[-1], ids[0])])


@shape
def cycles_everywhere(size: Size) -> JSON:
    ids = names(size.side(141))
    ways = [way for way in product(ids, ids) if way[0] != way[1]]
    return flow(map(node, ids), [("entry", "n0"), *ways[: size.edges - 1]])


@shape
def cycles_of_two(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow(map(node, ids), [*in_turn(ids), *zip(ids[1::2], ids[::2], strict=False)])


@shape
def entries_alone(size: Size) -> JSON:
    ids = names(size.nodes // 2)
    document = flow([])
    document["nodes"] = [item for name in ids for item in (node(f"entry{name}", "entry_api"), node(name))]
    document["edges"] = [edge(number, f"entry{name}", name) for number, name in enumerate(ids)]
    return document


@shape
def entries_that_share(size: Size) -> JSON:
    entries, ids = names(size.nodes // 2, "entry"), names(size.nodes // 2)
    ways = [*zip(entries, ids, strict=True), *pairwise(ids)]
    document = flow([])
    document["nodes"] = [*(node(name, "entry_api") for name in entries), *map(node, ids)]
    document["edges"] = [edge(number, *way) for number, way in enumerate(ways)]
    return document


@shape
def nothing_is_reached(size: Size) -> JSON:
    return flow(map(node, names(size.nodes - 1)))


# Loops and parallels


def nested(kinds: list[str], inside: int) -> JSON:
    """Return loops and parallels one inside the other, each with a node beside the next, and a chain in the last."""
    heads, ids = names(len(kinds), "h"), names(inside)
    nodes, ways = [], [("entry", "h0")]
    for number, (kind, (first, second)) in enumerate(zip(kinds, pairwise([*heads, ids[0]]), strict=True)):
        port = "body" if kind == "logic_loop" else "out"
        nodes += [node(first, kind, **({"items": "a"} if port == "body" else {})), node(f"b{number}")]
        ways += [(first, second, None, port), (first, f"b{number}", None, port)]
    return flow([*nodes, *map(node, ids)], [*ways, *pairwise(ids)])


@shape
def loops_at_the_depth_limit(size: Size) -> JSON:
    return nested(["logic_loop"] * 8, size.nodes - 20)


@shape
def loops_beyond_the_depth_limit(size: Size) -> JSON:
    return nested(["logic_loop"] * size.part(2_000), size.part(900))


@shape
def parallels_at_the_depth_limit(size: Size) -> JSON:
    return nested(["logic_parallel"] * 8, size.nodes - 20)


@shape
def parallels_beyond_the_depth_limit(size: Size) -> JSON:
    return nested(["logic_parallel"] * size.part(2_000), size.part(900))


@shape
def loops_and_parallels_in_turn(size: Size) -> JSON:
    return nested(["logic_loop", "logic_parallel"] * 4, size.nodes - 20)


@shape
def parallels_in_sequence(size: Size) -> JSON:
    """Each has one node and an empty branch, both up to the next."""
    ids = names((size.nodes - 2) // 2)
    nodes = [item for name in ids for item in (node(name, "logic_parallel"), node(f"{name}a"))]
    ways: list[Way] = [("entry", "n0"), *((name, f"{name}a") for name in ids)]
    ways += [
        way for first, second in pairwise([*ids, "last"]) for way in ((first, second), (f"{first}a", second))
    ]
    return flow([*nodes, node("last")], ways)


@shape
def parallel_of_many_branches(size: Size) -> JSON:
    ids = names(size.nodes - 3)
    ways = [("entry", "p"), *(("p", name) for name in ids), *((name, "last") for name in ids)]
    return flow([node("p", "logic_parallel"), *map(node, ids), node("last")], ways)


@shape
def parallel_whose_branches_all_mix(size: Size) -> JSON:
    left, right = names(size.side(120)), names(size.side(120), "b")
    ways = [("entry", "p"), *(("p", name) for name in left), *product(left, right)]
    return flow([node("p", "logic_parallel"), *map(node, left), *map(node, right)], ways[: size.edges])


@shape
def loops_in_sequence(size: Size) -> JSON:
    ids = names((size.nodes - 1) // 2)
    nodes = [item for name in ids for item in (node(name, "logic_loop", items="a"), node(f"{name}a"))]
    return flow(nodes, [*in_turn(ids), *((name, f"{name}a", None, "body") for name in ids)])


@shape
def loop_of_decisions(size: Size) -> JSON:
    ids = names(size.nodes - 2)
    loop = node("loop", "logic_loop", style="while", condition="a", max_iterations=9)
    ways: list[Way] = [("entry", "loop"), ("loop", "n0", None, "body")]
    return flow([loop, *decisions(ids)], [*ways, *((*way, "a") for way in pairwise(ids))])


@shape
def edges_into_every_body(size: Size) -> JSON:
    """Every node of every body has an edge from outside as well."""
    loops = names(size.part(100))
    nodes = [node(name, "logic_loop", items="a") for name in loops]
    ways: list[Way] = [*in_turn(loops)]
    for name in loops:
        body = names(48, f"{name}_")
        nodes += map(node, body)
        ways += [(name, body[0], None, "body"), *pairwise(body), *(("entry", item) for item in body)]
    return flow(nodes, ways)
