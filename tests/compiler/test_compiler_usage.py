"""What is declared and read by nobody, and edges that are never taken."""

from typing import Any

import pytest
from compiler_documents import JSON, a_decision, a_node, a_text, an_entry
from compiler_findings import a_model, codes, found
from compiler_ways import a_flow_of_ways

from scaiflow_api.compiler import validate_flow


def test_variables_that_nothing_reads_or_nothing_sets_are_found() -> None:
    names = ["read", "unread", "assigned", "unset", "output"]
    variables: list[JSON] = [{"name": name, "type": "int", "default": 1} for name in names]
    del variables[3]["default"]
    nodes = [
        an_entry(),
        a_text("a", "{{ read }} {{ unset }}"),
        a_node("b", "data_variable_set", config={"variable": "assigned", "value": 1}),
    ]

    assert [
        message
        for _, message, _ in found(a_flow_of_ways(nodes, "entry>a", "a>b", variables=variables), "SF308")
    ] == [
        "variable 'unread' is never used",
        "variable 'assigned' is assigned, and nothing reads it",
        "variable 'unset' is always null: it has no default, and nothing assigns it",
    ]


@pytest.mark.parametrize("name", ["input", "not", "true"])
def test_a_variable_that_no_expression_can_ask_for(name: str) -> None:
    nodes = [an_entry(), a_text("a", "{{ input }}")]
    document = a_flow_of_ways(nodes, "entry>a", variables=[{"name": name, "type": "int", "default": 0}])
    ((path, message, fix),) = found(document, "SF308")

    assert (path, fix) == ("variables[0]", "call it otherwise")
    assert message.startswith(f"variable '{name}' is never read: `{name}` is ")


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ({"item_var": "input"}, ["item_var"]),
        ({"item_var": "in", "index_var": "null"}, ["index_var", "item_var"]),
        ({"item_var": "x", "index_var": "x"}, ["item_var"]),
        ({"item_var": "output", "index_var": "result"}, []),
        ({"style": "while", "condition": "x", "max_iterations": 1, "item_var": "in"}, []),
    ],
)
def test_variables_of_a_loop_that_no_expression_can_ask_for(config: JSON, keys: list[str]) -> None:
    loop = a_node("loop", "logic_loop", config={"items": "[1]", **config})
    document = a_flow_of_ways([an_entry(), loop, a_text("a")], "entry>loop", "loop.body>a")

    assert [path for path, *_ in found(document, "SF316")] == [f"nodes[1].config.{key}" for key in keys]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("total", "declare 'total' in the flow's variables"),
        ("Total", "call it otherwise: a small letter or underscore, then letters, digits and underscores"),
        ("{{ x }}", "call it otherwise: a small letter or underscore, then letters, digits and underscores"),
        ("input", "call it otherwise: `input` is always what the run was given"),
    ],
)
def test_what_to_do_about_an_undeclared_variable_can_be_done(name: str, fix: str) -> None:
    nodes = [an_entry(), a_node("a", "data_variable_set", config={"variable": name, "value": 1})]

    assert [found_fix for *_, found_fix in found(a_flow_of_ways(nodes, "entry>a"), "SF304")] == [fix]


def test_a_name_that_is_misspelt_elsewhere_is_not_unused_as_well() -> None:
    variables = [{"name": "attempts", "type": "int", "default": 0}]
    nodes = [an_entry(), a_text("a", "{{ attemps }}")]

    assert codes(a_flow_of_ways(nodes, "entry>a", variables=variables)) == ["SF301"]


def test_what_cannot_be_read_may_use_everything() -> None:
    nodes = [an_entry(), a_text("a", "{{ v + }}")]

    assert codes(a_flow_of_ways(nodes, "entry>a", variables=[{"name": "v", "type": "int"}])) == ["SF300"]


@pytest.mark.parametrize(
    ("reads", "ways", "expected"),
    [
        ("{{ m.x }}", ["entry>m", "m>a"], ["y"]),
        ("{{ x }}{{ m.y }}", ["entry>m", "m>a"], []),
        ("{{ m }}", ["entry>m", "m>a"], []),
        ("{{ m['y'] }}", ["entry>m", "m>a"], ["x"]),
        ("{{ m[input.key] }}", ["entry>m", "m>a"], []),
        ("{{ m.keys() }}", ["entry>m", "m>a"], []),
        ("nothing", ["entry>m", "m>a?q"], []),
        ("nothing", ["entry>m", "m>a", "m~a"], []),
        ("nothing", ["entry>m"], []),
    ],
)
def test_fields_that_nobody_reads(reads: str, ways: list[str], expected: list[str]) -> None:
    nodes = [an_entry(), a_model("m", output_schema={"x": "int", "y": "int"}), a_text("a", reads)]
    paths = [path for path, *_ in found(a_flow_of_ways(nodes, *ways), "SF309")]

    assert paths == [f"nodes[1].config.output_schema.{name}" for name in expected]


@pytest.mark.parametrize(
    ("reads", "code"), [("{{ cheks.x }}", "SF301"), ("{{ checks.xx }}", "SF310"), ("{{ reult.x }}", "SF301")]
)
def test_a_field_that_is_misspelt_elsewhere_is_not_unread_as_well(reads: str, code: str) -> None:
    config = {"goal": "Go.", "output_schema": {"x": "int"}, "validate": "true"}
    if "reult" in reads:
        config["validate"] = reads
        reads = "nothing"
    nodes = [an_entry(), a_node("checks", "llm_guarded", config=config), a_text("a", reads)]

    assert [c for c in codes(a_flow_of_ways(nodes, "entry>checks", "checks>a")) if c != "SF306"] == [code]


def test_an_assignment_to_a_misspelt_variable_is_told_once() -> None:
    variables = [{"name": "total", "type": "int", "default": 0}]
    nodes = [an_entry(), a_node("a", "data_variable_set", config={"variable": "totl", "value": 1})]

    assert codes(a_flow_of_ways(nodes, "entry>a", variables=variables)) == ["SF304"]


def test_bindings_do_not_see_each_other() -> None:
    loop = a_node("loop", "logic_loop", config={"items": "[1]", "item_var": "tiket"})
    model = a_model("m", input_bindings={"ticket": "{{ ticket }}"}, guidance="{{ ticket }}")
    document = a_flow_of_ways([an_entry(), loop, model], "entry>loop", "loop.body>m")

    assert [path for path, *_ in found(document, "SF301")] == ["nodes[2].config.input_bindings.ticket"]


def test_what_a_call_binds_is_the_input_of_the_other_flow() -> None:
    config = {
        "target": "core://a/b",
        "input_bindings": {"customer": "{{ 1 }}"},
        "instance_key": "{{ customr }}",
    }
    nodes = [an_entry(), a_node("c", "subflow_call", config=config)]

    assert found(a_flow_of_ways(nodes, "entry>c"), "SF301") == []


def test_validate_reads_the_fields_of_its_own_answer() -> None:
    config = {"goal": "Go.", "output_schema": {"x": "int"}, "validate": "result.x > 0"}
    nodes = [an_entry(), a_node("m", "llm_guarded", config=config), a_text("a")]

    assert found(a_flow_of_ways(nodes, "entry>m", "m>a"), "SF309") == []


def test_a_result_binding_that_nobody_uses() -> None:
    nodes = [an_entry(), a_model("m", result_binding="reply"), a_text("a", "{{ m }}")]

    assert [path for path, *_ in found(a_flow_of_ways(nodes, "entry>m", "m>a"), "SF309")] == [
        "nodes[1].config.result_binding"
    ]
    nodes[2]["config"]["template"] = "{{ reply }}"
    assert found(a_flow_of_ways(nodes, "entry>m", "m>a"), "SF309") == []


@pytest.mark.parametrize(
    ("ways", "dead"),
    [
        (["d>a?x", "d>b?true"], []),
        (["d>a?true", "d>b?x"], [3]),
        (["d>a?true", "d>b"], [3]),
        (["d>a?x", "d>b?x"], [3]),
        (["d>a?x", "d>b?{{ x }}"], [3]),
        (["d>a?false", "d>b"], [2]),
        (["d>a?'x'", "d>b"], [3]),
        (["d>a?x", "d>b?!x"], []),
    ],
)
def test_edges_that_are_never_taken(ways: list[str], dead: list[int]) -> None:
    nodes = [an_entry(), a_decision("d"), a_text("a"), a_text("b")]
    document = a_flow_of_ways(nodes, "entry>d", *ways)

    assert [path for path, *_ in found(document, "SF114")] == [f"edges[{number - 1}]" for number in dead]


def a_choice(**config: Any) -> list[JSON]:
    return [an_entry(), a_decision("d", **config), a_text("a"), a_text("b")]


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        (["d>a", "d>b"], 1),
        (["d>a?x", "d>b"], 0),
        (["d>a"], 0),
        ([], 0),
    ],
)
def test_a_decision_without_conditions_decides_nothing(ways: list[str], expected: int) -> None:
    assert len(found(a_flow_of_ways(a_choice(), "entry>d", *ways), "SF115")) == expected


def test_a_decision_whose_conditions_have_no_effect_is_told_once() -> None:
    document = a_flow_of_ways(a_choice(), "entry>d", "d>a?x", "d>b")
    document["edges"][1]["type"] = "sequential"

    assert codes(document) == ["SF105"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("refund", [("SF315", "write 'refund' in quotes, or input.refund for what the input brings")]),
        ("needs-review", [("SF315", "write 'needs-review' in quotes")]),
        ("True", [("SF301", "did you mean 'true'?")]),
        ("'refund'", []),
        (":refund", []),
        ("refund > 3", []),
        ("amount", []),
        ("input.refund", []),
    ],
)
def test_a_word_that_a_match_compares_with_needs_quotes(condition: str, expected: list[Any]) -> None:
    given = [{"name": "t", "input": {"amount": 1}, "expect": {}}]
    match = a_choice(style="match", subject="input.x")
    document = a_flow_of_ways(match, "entry>d", f"d>a?{condition}", "d>b", tests=given)

    assert [(item.code, item.fix) for item in validate_flow(document)] == expected
    document["nodes"][1]["config"] = {}
    assert not found(document, "SF315")


def test_the_literals_of_a_match_are_no_conditions_that_always_hold() -> None:
    nodes = [an_entry(), a_decision("d", style="match", subject="x"), *map(a_text, "abcd")]
    document = a_flow_of_ways(nodes, "entry>d", "d>a?1", "d>b?false", "d>c?true", "d>d2?2")
    document["edges"][4]["target"]["node"] = "d"
    document["edges"].pop()

    assert found(document, "SF114") == []
