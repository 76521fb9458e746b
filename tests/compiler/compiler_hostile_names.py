"""Names, data edges, declarations and configurations at the limits, sound and broken."""

from itertools import islice
from random import Random
from typing import Any

from compiler.compiler_documents import JSON, two_models
from compiler.compiler_hostile_shapes import Shape, Size, edge, fitting, flow, in_turn, names, node

SHAPES: dict[str, Shape] = {}


def shape(build: Shape) -> Shape:
    SHAPES[build.__name__] = build
    return build


def ports(count: int) -> list[JSON]:
    return [{"id": "in"}, *({"id": f"d{number}"} for number in range(count))]


def data(number: int, source: str, target: str, port: int) -> JSON:
    return edge(number, source, target) | {"type": "data", "target": {"node": target, "port": f"d{port}"}}


@shape
def data_between_all(size: Size) -> JSON:
    rng = Random(3)
    ids = names(size.nodes - 1)
    document = flow([{**node(name), "inputs": ports(7)} for name in ids], in_turn(ids))
    for number in range(len(ids), size.edges):
        first, second = sorted(rng.sample(range(len(ids)), 2))
        document["edges"].append(data(number, ids[first], ids[second], number % 7))
    return document


@shape
def data_into_one_node(size: Size) -> JSON:
    ids = names(size.nodes - 2)
    count = size.edges - size.nodes
    document = flow([*map(node, ids), {**node("last"), "inputs": ports(count)}], in_turn([*ids, "last"]))
    for number in range(count):
        document["edges"].append(data(number + size.nodes, ids[number % len(ids)], "last", number))
    return document


@shape
def unknown_names(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    used = (
        "".join(f"{{{{ unheard_{place}_{number} }}}}" for number in range(4)) for place in range(size.nodes)
    )
    return flow((node(name, template=text) for name, text in zip(ids, used, strict=False)), in_turn(ids))


@shape
def unknown_names_like_known_ones(size: Size) -> JSON:
    """Ids and names of 60 letters that differ in one or two."""
    ids = [f"{'a' * 56}{number:04}" for number in range(size.nodes - 1)]
    text = "{{{{ {0}x }}}} {{{{ b{0} }}}} {{{{ {0}y }}}}"
    return flow((node(name, template=text.format(name)) for name in ids), in_turn(ids))


@shape
def names_of_all_before(size: Size) -> JSON:
    ids = names(size.part(1_000))
    text = "".join(f"{{{{ {name}.x }}}}" for name in ids[::4])
    return flow((node(name, template=text) for name in ids), in_turn(ids))


@shape
def schema_of_many_fields(size: Size) -> JSON:
    fields = dict.fromkeys(fitting(size.part(4_000_000), "field_{}".format), "string")
    asks = node("n0", "llm_flexible", goal="Go.", output_schema=fields)
    return flow([asks, node("n1", template="{{ field_0 }} {{ field_1x }}")], in_turn(["n0", "n1"]))


@shape
def schema_used_by_a_long_chain(size: Size) -> JSON:
    """Each of many nodes uses names that may or may not be bound where it runs."""
    fields = dict.fromkeys(fitting(size.part(3_000_000), "f{}".format), "any")
    ids = names(size.nodes // 2)
    used = iter(fields)
    nodes = [node(name, template="".join(f"{{{{{field}}}}}" for field in islice(used, 20))) for name in ids]
    asks = node("ask", "llm_flexible", goal="Go.", output_schema=fields)
    ways = [("entry", "ask", "a"), ("entry", "n0"), ("ask", "n0"), *list(in_turn(ids))[1:]]
    return flow([asks, *nodes], ways)


@shape
def schemas_that_share_names(size: Size) -> JSON:
    fields = {f"f{number}": "string" for number in range(40)}
    ids = names(size.part(4_000))
    nodes = [node(name, "llm_flexible", goal="{{ f1 }} {{ f2.x }}", output_schema=fields) for name in ids]
    return flow(nodes, in_turn(ids))


@shape
def bindings_that_share_a_name(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow((node(name, template="{{ r.x }}", result_binding="r") for name in ids), in_turn(ids))


@shape
def types_inside_types(size: Size) -> JSON:
    """Type syntax nested as deep as there is room."""
    depth = size.part(20_000)
    fields = {f"f{number}": "list<" * depth + "int" + ">" * depth for number in range(30)}
    document = flow([node("n0", "llm_flexible", goal="Go.", output_schema=fields)], [("entry", "n0")])
    document["nodes"][0]["config"] = {"input_schema": {"a": "map<string, " * depth + "int" + ">" * depth}}
    document["variables"] = [{"name": "v", "type": "(" * depth, "default": 1}]
    return document


@shape
def many_variables(size: Size) -> JSON:
    variables = [{"name": f"v{number}", "type": "int", "default": "x"} for number in range(size.part(80_000))]
    nodes = [node("n0", template="{{ v1 }} {{ w1 }}")]
    return flow(nodes, [("entry", "n0")], variables=variables)


@shape
def many_tests(size: Size) -> JSON:
    expected = {"x": {"$regex": "(a|a|b)*" * 8}}
    tests = [{"name": f"t{n}", "input": {f"a{n}": 1}, "expect": expected} for n in range(size.part(30_000))]
    return flow([node("n0", template="{{ a1x }}")], [("entry", "n0")], tests=tests)


@shape
def many_models(size: Size) -> JSON:
    count = size.part(60_000)
    models = [{"role": f"r{number}", "ref": "scaigrid", "model": f"m/{number}"} for number in range(count)]
    ids = names(size.part(2_000))
    nodes = [node(name, "llm_flexible", goal="Go.", llm_role=f"q{name}") for name in ids]
    return flow(nodes, in_turn(ids), config={"core_identity": {"models": models}})


@shape
def many_plugins(size: Size) -> JSON:
    plugins = [{"name": f"p{number}", "methods": {"m": {"args": {}}}} for number in range(size.part(40_000))]
    ids = names(size.part(2_000))
    nodes = [node(name, "tool_plugin", plugin=f"q{name}", method="x", args={}) for name in ids]
    return flow(nodes, in_turn(ids), config={"core_identity": {"models": two_models()}, "plugins": plugins})


@shape
def many_assignments(size: Size) -> JSON:
    numbers = range(size.part(70_000))
    assignments = [{"variable": f"w{number}", "value": f"{{{{ v{number} }}}}"} for number in numbers]
    return flow([node("n0", "data_variable_set", assignments=assignments)], [("entry", "n0")])


@shape
def many_bindings_used_by_each_other(size: Size) -> JSON:
    bindings = {f"v{number}": f"{{{{ w{number} }}}}" for number in range(size.part(8_000))}
    return flow([node("n0", "llm_flexible", goal="Go.", input_bindings=bindings)], [("entry", "n0")])


@shape
def form_of_many_sections(size: Size) -> JSON:
    options = names(100, "o")
    sections = [{"type": "decision", "field": name, "options": options} for name in names(size.part(4_000))]
    review = node("n0", "hitl_review", queue="q", sections=sections)
    return flow([review, node("n1", template="{{ n0.n1 == 'x' }}")], in_turn(["n0", "n1"]))


@shape
def subflows(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow((node(name, "subflow_call", target=f"core://acme/{name}") for name in ids), in_turn(ids))


@shape
def schedules(size: Size) -> JSON:
    often = ",".join(map(str, range(60)))
    crons = ["*/1 */1 */1 */1 */1", "0 0 31 2 *", f"{often} * * * *", "0-59/1 * * * mon-sun"]
    document = flow([])
    document["nodes"] = [
        node(f"n{number}", "entry_schedule", cron=crons[number % 4], timezone=f"Europe/Berli{number}")
        for number in range(size.nodes)
    ]
    return document


@shape
def breakpoints_and_tries(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow((node(name, on_error="continue", breakpoint=True) for name in ids), in_turn(ids))


# Broken


@shape
def broken_configs(size: Size) -> JSON:
    kinds = (
        "llm_flexible",
        "tool_http",
        "checkpoint",
        "hitl_review",
        "compute_exec",
        "subflow_call",
        "logic_loop",
    )
    ids = names(size.nodes - 1)
    wrong = {"goal": [], "url": 3, "tempalte": "x"}
    return flow((node(name, kinds[at % len(kinds)], **wrong) for at, name in enumerate(ids)), in_turn(ids))


@shape
def unknown_keys_in_every_config(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    keys = {f"templat{letter}": "x" for letter in "abcdfghijklmnopqrstuvwxyz"}
    return flow((node(name, **keys) for name in ids), in_turn(ids))


@shape
def unknown_keys_in_one_config(size: Size) -> JSON:
    keys = dict.fromkeys(fitting(size.part(5_000_000), "template{}".format), 0)
    return flow([node("n0", **keys)], [("entry", "n0")])


@shape
def edges_to_nowhere(size: Size) -> JSON:
    ids = [f"{'a' * 40}{number:04}" for number in range(size.nodes - 1)]
    return flow(
        map(node, ids), ((f"{ids[n % len(ids)]}x", f"x{ids[n % len(ids)]}") for n in range(size.edges))
    )


@shape
def edges_by_unknown_ports(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow(
        map(node, ids), ((*way, "((", f"port{number}") for number in range(4) for way in in_turn(ids))
    )


@shape
def everything_has_one_id(size: Size) -> JSON:
    document = flow([node("n") for _ in range(size.nodes - 1)])
    document["edges"] = [edge(1, "n", "n") for _ in range(size.edges)]
    return document


@shape
def unknown_kinds(size: Size) -> JSON:
    return flow(node(name, f"llm_rigi{name}") for name in names(size.nodes - 1))


@shape
def empty_lists(size: Size) -> JSON:
    """The most values that fit."""
    return flow([node("n0", more=[[]] * size.part(299_900))], [("entry", "n0")])


@shape
def lists_where_objects_belong(size: Size) -> JSON:
    return flow([], variables=[[]] * size.part(99_000))


@shape
def deep_values(size: Size) -> JSON:
    deep: Any = "{{ a }}"
    for _ in range(54):
        deep = {"a": deep}
    values = dict.fromkeys(names(size.part(5_400)), deep)
    return flow([node("n0", "llm_flexible", goal="Go.", input_bindings=values)], [("entry", "n0")])
