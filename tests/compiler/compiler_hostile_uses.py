"""As many texts that use a name as fit, beside as much as fits that such a use could be held against."""

from itertools import pairwise

from compiler.compiler_documents import JSON
from compiler.compiler_hostile_shapes import Shape, Size, edge, flow, in_turn, names, node

SHAPES: dict[str, Shape] = {}


def shape(build: Shape) -> Shape:
    SHAPES[build.__name__] = build
    return build


def uses(size: Size, text: str, count: int) -> JSON:
    """Return a node with so many assignments of a template; `#` in it is their number."""
    numbers = range(size.part(count))
    assignments = [{"variable": "w", "value": text.replace("#", str(number))} for number in numbers]
    return node("user", "data_variable_set", assignments=assignments)


def bound(size: Size, text: str, count: int) -> JSON:
    """Return a model call with so many names of its own, each bound to a text."""
    bindings = {f"k{number}": text for number in range(size.part(count))}
    return node("n0", "llm_flexible", goal="Go.", input_bindings=bindings)


@shape
def unknown_names_beside_own_names(size: Size) -> JSON:
    return flow([bound(size, "{{a}}", 55_000)], in_turn(["n0"]))


@shape
def results_beside_own_names(size: Size) -> JSON:
    return flow([node("m"), bound(size, "{{m}}", 55_000)], in_turn(["m", "n0"]))


@shape
def conditions_beside_own_names(size: Size) -> JSON:
    ways = [("n0", "n1", f"a == {number}") for number in range(size.part(19_000))]
    return flow([bound(size, "x", 90_000), node("n1")], [("entry", "n0"), *ways])


@shape
def uses_of_hidden_results(size: Size) -> JSON:
    loops = names(size.part(2_400), "l")
    nodes = [item for name in loops for item in (node(name, "logic_loop", items="[]"), hidden(name))]
    ways = [*in_turn([*loops, "user"]), *((name, f"{name}b", None, "body") for name in loops)]
    return flow([*nodes, uses(size, "{{r}}", 50_000)], ways)


def hidden(loop: str) -> JSON:
    return node(f"{loop}b", result_binding="r")


@shape
def uses_of_many_results(size: Size) -> JSON:
    ids = names(64)
    given = [node(name, "llm_flexible", goal="Go.", output_schema={"r": "float"}) for name in ids]
    return flow([*given, uses(size, "{{r}}", 50_000)], in_turn([*ids, "user"]))


@shape
def uses_of_many_assignments(size: Size) -> JSON:
    ids = names(64)
    given = [node(name, "data_variable_set", variable="r", value="1") for name in ids]
    return flow([*given, uses(size, "{{r}}", 50_000)], in_turn([*ids, "user"]))


@shape
def uses_of_unknown_fields(size: Size) -> JSON:
    schema = {f"f{number}": "float" for number in range(size.part(60_000))}
    answer = node("m", "llm_flexible", goal="Go.", output_schema=schema)
    return flow([answer, uses(size, "{{m.f}}", 40_000)], in_turn(["m", "user"]))


@shape
def fields_of_many_results_of_one_name(size: Size) -> JSON:
    ids = names(size.part(2_500))
    given = {"goal": "Go.", "result_binding": "r", "output_schema": {"f": "float"}}
    nodes = [node(name, "llm_flexible", **given) for name in ids]
    return flow([*nodes, uses(size, "{{r.f#}}", 24_000)], in_turn([*ids, "user"]))


@shape
def long_enums_held_against_each_other(size: Size) -> JSON:
    types = {name: f"enum[{', '.join(names(size.part(100_000), name))}]" for name in "mn"}
    nodes = [node(name, "llm_flexible", goal="Go.", output_schema={"f": types[name]}) for name in types]
    return flow([*nodes, uses(size, "{{m.f??n.f}}", 18_000)], in_turn(["m", "n", "user"]))


@shape
def large_schemas_held_against_each_other(size: Size) -> JSON:
    schema = {f"f{number}": "enum[a, b]" for number in range(size.part(40_000))}
    nodes = [node(name, "llm_flexible", goal="Go.", output_schema=schema) for name in "mn"]
    return flow([*nodes, uses(size, "{{m??n}}", 24_000)], in_turn(["m", "n", "user"]))


@shape
def many_ports(size: Size) -> JSON:
    source = {**node("n0"), "outputs": [{"id": name} for name in names(size.part(90_000), "p")]}
    document = flow([source, node("n1")], in_turn(["n0"]))
    ports = enumerate(names(size.part(15_000), "p"), 1)
    document["edges"] += [edge(number, "n0", "n1", None, port) for number, port in ports]
    return document


@shape
def concurrent_rounds_that_assign(size: Size) -> JSON:
    loops = names(8, "l")
    nodes = [node(name, "logic_loop", items="[]", max_concurrent=2) for name in loops]
    numbers = range(size.part(90_000))
    assigns = node(
        "n0", "data_variable_set", assignments=[{"variable": f"w{number}", "value": 1} for number in numbers]
    )
    inside = [(*ends, None, "body") for ends in pairwise([*loops, "n0"])]
    return flow([*nodes, assigns], [("entry", "l0"), *inside])


@shape
def deep_templates(size: Size) -> JSON:
    deep: object = "{{a}}"
    for _ in range(50):
        deep = [deep]
    bindings = {f"k{number}": deep for number in range(size.part(5_900))}
    return flow([node("n0", "llm_flexible", goal="Go.", input_bindings=bindings)], in_turn(["n0"]))


@shape
def calls_beside_many_plugins(size: Size) -> JSON:
    ids = names(size.part(4_900))
    document = flow((node(name, "tool_plugin", plugin=name, method="m") for name in ids), in_turn(ids))
    document["config"]["plugins"] = names(size.part(90_000))
    return document


@shape
def calls_beside_many_queues(size: Size) -> JSON:
    ids = names(size.part(4_900))
    document = flow((node(name, "queue_publish", queue=name, payload="x") for name in ids), in_turn(ids))
    queues = [{"slug": name} for name in names(size.part(90_000))]
    document["config"]["scaiqueue"] = {"scope": "s", "queues": queues}
    return document


@shape
def answers_beside_many_options(size: Size) -> JSON:
    ask = node("n0", "hitl_decision", options=names(size.part(90_000)))
    tests = [
        {"name": name, "input": {}, "expect": {}, "resolutions": {"n0": [f"{name}x", "n1"]}}
        for name in names(size.part(30_000), "t")
    ]
    return flow([ask], in_turn(["n0"]), tests=tests)


@shape
def calls_of_unknown_methods(size: Size) -> JSON:
    return flow([uses(size, "{{ a.m#() }}", 25_000)], in_turn(["user"]))
