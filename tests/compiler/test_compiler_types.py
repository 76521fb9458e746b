"""Types: what is known of values before a flow runs, and what in it cannot hold."""

from typing import Any

import pytest
from compiler_documents import JSON, a_decision, a_node, a_text, an_entry
from compiler_findings import SCHEMA, a_model, an_entry_with, classified, codes, found, problems
from compiler_ways import a_flow_of_ways

from scaiflow_api.compiler.analysis.inference import Inference
from scaiflow_api.compiler.analysis.occurrences import occurrences
from scaiflow_api.compiler.analysis.shapes import Shape, misfit
from scaiflow_api.compiler.analysis.types import parse_type
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.expressions import parse


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("classify.intent == 'complain'", "the value is one of 'question', 'complaint' and never 'complain'"),
        (
            "'complain' != intent",
            "the value is one of 'question', 'complaint' and never 'complain', so this always holds",
        ),
        (
            "classify.intent in ['question', 'other']",
            "the value is one of 'question', 'complaint' and never 'other'",
        ),
        (
            "classify.intent == 1",
            "one of 'question', 'complaint' and a number are never equal, so this never holds",
        ),
        ("score == '0.7'", "a number and a string are never equal, so this never holds"),
        ("score > 'high'", "`>` cannot order a number and a string"),
        ("urgent > 1", "`>` orders numbers or strings, but this is a bool"),
        ("note - 1 > 0", "`-` needs numbers, but this is a string"),
        ("-classify.note > 0", "`-` needs numbers, but this is a string"),
        ("note + 1 == 2", "`+` needs two numbers, two strings or two lists, but got a string and a number"),
        ("score.upper() == 'A'", "a number has no method `upper()`"),
        ("note.uper() == 'A'", "a string has no method `uper()`"),
        (
            "seen.scor > 1",
            "there is no field 'scor'; it has 'entities', 'intent', 'note', 'order', 'score', 'since', …",
        ),
        (
            "node_classify == null || classify['scor'] > 1",
            "there is no field 'scor'; it has 'entities', 'intent', 'note', 'order', 'score', 'since', …",
        ),
        ("score.value > 1", "a number has no member 'value', so this is always null"),
        ("tags.size > 1", "a list has no member 'size', so this is always null"),
        ("tags.map(tag => tag - 1).length > 0", "`-` needs numbers, but this is a string"),
        ("tags[0] - 1 > 0", "`-` needs numbers, but this is a string"),
        ("entities.a == 'one'", "a number and a string are never equal, so this never holds"),
        ("input.x.uper()", "no value has a method `uper()`"),
        ("x[0].slice(1).uper().length > 1", "no value has a method `uper()`"),
        ("x.slice()", "slice() needs a whole number as its argument `start`"),
        ("x.slice(1, 2, 3)", "slice() takes at most 2 arguments, but got 3"),
        ("x.pad_start(7, fil = '0')", "pad_start() has no argument `fil`; did you mean `fill`?"),
        ("note.slice()", "slice() needs a whole number as its argument `start`"),
        ("x.all(item => item.uper())", "no value has a method `uper()`"),
        ("'a' in score", "`in` needs a list, a map or a string on its right, but this is a number"),
        ("(urgent ? score : 1) == 'a'", "a number and a string are never equal, so this never holds"),
    ],
)
def test_what_a_declared_type_excludes_is_reported(expression: str, problem: str) -> None:
    assert problems(classified(expression)) == [problem]


@pytest.mark.parametrize(
    "expression",
    [
        "classify.intent == 'question'",
        "intent in ['question', 'complaint']",
        "score > 0.7 && score * 2 < 3",
        "score == 1",
        "note == null",
        "note.upper() == 'A'",
        "note + '!' == 'a!'",
        "score + 0.5 > 1",
        "tags.length > 0 && tags.first == 'a' && tags.contains('a')",
        "entities.anything == 1 && entities.length > 0",
        "since > 5m",
        "since == '5m'",
        "order.lines.first.price > 3",
        "note.text ?? note",
        "input.classify.intent == 1",
        "something.else == 'x'",
        "urgent == true",
        "classify.order == 'x'",
        "[1].map(score => score.upper())",
        "tags.map(tag => tag.upper()).join(', ') == 'A'",
        "classify.length == 8",
        "x.slice(1) == x.get('a')",
        "x.contains(sub = 'a') || x.contains(item = 'a')",
        "x.map(item => item.sum()).sort(item => -item)",
        "(urgent ? 'question' : 'other') == intent",
    ],
)
def test_what_may_hold_is_not_reported(expression: str) -> None:
    assert problems(classified(expression)) == []


def test_a_choice_without_quotes_is_a_name() -> None:
    document = classified("classify.intent == question || complaint != intent")

    assert problems(document) == [
        "`question` is no text but a name, and nothing offers it",
        "`complaint` is no text but a name, and nothing offers it",
    ]
    assert [fix for *_, fix in found(document, "SF310")] == [
        "write 'question' in quotes",
        "write 'complaint' in quotes",
    ]
    given = [{"name": "t", "input": {"question": "x", "complaint": "x"}, "expect": {}}]
    assert problems(classified("intent == question || complaint != intent", tests=given)) == []


def test_a_near_miss_of_a_choice_or_field_has_a_fix() -> None:
    assert [fix for *_, fix in found(classified("classify.intent == 'complain'"), "SF310")] == [
        "did you mean 'complaint'?"
    ]
    assert [fix for *_, fix in found(classified("x.uper() == note.lowr()"), "SF310")] == [
        "did you mean 'lower'?",
        "did you mean 'upper'?",
    ]
    assert [fix for *_, fix in found(classified("tags.lenght > 1"), "SF310")] == ["did you mean 'length'?"]
    assert [fix for *_, fix in found(classified("classify.scor > 1"), "SF310")] == ["did you mean 'score'?"]


def test_the_message_quotes_the_part_at_fault() -> None:
    ((path, message, _),) = found(classified("urgent && score > 'high'"), "SF310")

    assert path == "nodes[2].config.guard"
    assert message == "node 'check': guard: in `score > 'high'`, `>` cannot order a number and a string"


def test_a_literal_of_a_match_must_be_a_choice_of_its_subject() -> None:
    nodes = [
        an_entry(),
        a_model("classify", output_schema=SCHEMA),
        a_decision("d", style="match", subject="classify.intent"),
        a_text("a", "{{ intent }}"),
        a_text("b"),
    ]
    document = a_flow_of_ways(nodes, "entry>classify", "classify>d", "d>a?'question'", "d>b?'complain'")

    ((path, message, fix),) = found(document, "SF310")
    assert (path, fix) == ("edges[3].condition", "did you mean 'complaint'?")
    assert "compared with `classify.intent`, which is one of 'question', 'complaint'" in message


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ input.amuont }}", ["there is no field 'amuont'; it has 'amount', 'message'"]),
        ("{{ amount.upper() }}", ["a number has no method `upper()`"]),
        ("{{ amount * 2 }} {{ message.length }}", []),
        ("{{ message.text ?? message }}", []),
    ],
)
def test_types_of_the_input(template: str, expected: list[str]) -> None:
    document = a_flow_of_ways(
        [an_entry_with(amount="float", message="string"), a_text("a", template)], "entry>a"
    )

    assert problems(document) == expected


def test_without_an_input_schema_at_one_entry_nothing_is_known_of_the_input() -> None:
    nodes = [an_entry_with(amount="float"), an_entry("other"), a_text("a", "{{ amount.upper() }}")]

    assert problems(a_flow_of_ways(nodes, "entry>a", "other>a")) == []


@pytest.mark.parametrize(
    ("kind", "config", "use", "expected"),
    [
        ("tool_http", {"url": "https://a.example"}, "a.status == '200'", 1),
        ("tool_http", {"url": "https://a.example"}, "a.body.tickets.length > 0", 0),
        ("tool_http", {"url": "https://a.example"}, "a.statuscode == 200", 1),
        ("queue_publish", {"scope": "s", "queue": "q", "message_type": "t", "payload": 1}, "a.id", 1),
        ("queue_publish", {"scope": "s", "queue": "q", "message_type": "t", "payload": 1}, "a.message_id", 0),
        ("checkpoint", {"options": ["yes", "no"]}, "a.decision == 'yse'", 1),
        ("checkpoint", {"options": ["yes", {"id": "no", "label": "No!"}]}, "a.decision == 'no'", 0),
        ("checkpoint", {"options": ["yes", "no"]}, "a.comment == 'x'", 0),
        ("checkpoint", {"options": ["{{ input.x }}"]}, "a.decision == 'x'", 0),
        ("checkpoint", {"options": ["yes", "no"]}, "a.decison", 1),
        ("checkpoint", {}, "a.decision == 'x'", 0),
        ("llm_rigid", {"template": "Hello {{ x }}"}, "a - 1", 1),
        ("llm_rigid", {"template": "{{ x }}"}, "a - 1", 0),
        ("llm_rigid", {"template": "{{ 1 }}"}, "a - 1", 0),
        ("logic_loop", {"items": "[1]"}, "a.total", 1),
        ("logic_loop", {"items": "[1]"}, "a.first.total", 0),
    ],
)
def test_what_kinds_yield_is_known(kind: str, config: JSON, use: str, expected: int) -> None:
    nodes = [an_entry(), a_node("a", kind, config=config), a_text("b", f"{{{{ {use} }}}}")]

    assert len(problems(a_flow_of_ways(nodes, "entry>a", "a>b"))) == expected


def test_a_decision_of_a_review_is_one_of_its_options() -> None:
    sections = [
        {"type": "decision", "field": "verdict", "options": ["ok", "bad"]},
        {"type": "input", "field": "amount"},
    ]
    nodes = [
        an_entry(),
        a_node("a", "hitl_review", config={"scope": "s", "queue": "q", "sections": sections}),
        a_text("b", "{{ a.verdict == 'good' }} {{ a.amount == 'x' }} {{ a.verdict == 'ok' }}"),
    ]

    assert problems(a_flow_of_ways(nodes, "entry>a", "a>b")) == [
        "the value is one of 'ok', 'bad' and never 'good'"
    ]
    nodes[2] = a_text("b", "{{ a.amont }} {{ a.reason }} {{ a.verdict }}")
    document = a_flow_of_ways(nodes, "entry>a", "a>b")

    assert problems(document) == [
        "'amont' is none of the fields that are known; they are 'verdict', 'amount'"
    ]
    assert [fix for *_, fix in found(document, "SF310")] == ["did you mean 'amount'?"]


@pytest.mark.parametrize(
    ("items", "use", "expected"),
    [
        ("classify.tags", "item - 1", ["`-` needs numbers, but this is a string"]),
        ("classify.tags", "item.upper()", []),
        ("classify.score", "item", ["a loop goes through a list, and this is a number"]),
        ("classify.order", "item - 1", []),
        ("classify.tags", "number.upper()", ["a number has no method `upper()`"]),
    ],
)
def test_items_of_a_loop(items: str, use: str, expected: list[str]) -> None:
    loop = a_node("loop", "logic_loop", config={"items": items, "index_var": "number"})
    nodes = [an_entry(), a_model("classify", output_schema=SCHEMA), loop, a_text("a", f"{{{{ {use} }}}}")]

    assert problems(a_flow_of_ways(nodes, "entry>classify", "classify>loop", "loop.body>a")) == expected


def test_a_name_that_two_nodes_offer_has_what_both_have_in_common() -> None:
    nodes = [
        an_entry(),
        a_model("a", output_schema={"reply": "enum[x, y]", "size": "int"}),
        a_model("b", output_schema={"reply": "enum[z]", "size": "string"}),
        a_text("c", "{{ reply == 'z' }} {{ reply == 'w' }} {{ size - 1 }}"),
    ]

    assert problems(a_flow_of_ways(nodes, "entry>a?x", "entry>b", "a>c", "b>c")) == [
        "the value is one of 'x', 'y', 'z' and never 'w'"
    ]


def test_long_chains_are_read_without_recursion() -> None:
    chain = "score" + " + score" * 500
    assert problems(classified(f"{chain} == 'a'")) == [
        "a number and a string are never equal, so this never holds"
    ]
    assert len(list(occurrences(parse("a" + ".b" * 1500).root))) == 1
    assert Inference(lambda _: None, Suggestions()).read(parse("a ? 1 : " * 400 + "2")) == Shape(
        "number", literal=True
    )


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("int", 3, 0),
        ("int", 3.0, 0),
        ("int", 3.5, 1),
        ("int", "3", 1),
        ("int", True, 1),
        ("int", None, 0),
        ("int", "{{ input.x }}", 0),
        ("int", "{{ 1 + 2 }}", 0),
        ("int", "{{ input.x.to_string() }}", 1),
        ("string", "Total: {{ input.x }}", 0),
        ("int", "Total: {{ input.x }}", 1),
        ("enum[a, b]", "c", 1),
        ("enum[a, b]", "b", 0),
        ("array<int>", [1, 2], 0),
        ("array<int>", [1, "x"], 1),
        ("map<string, bool>", {"a": True}, 0),
        ("map<string, bool>", {"a": 1}, 1),
        ("object", {"a": "{{ input.x }}"}, 0),
        ("Invoice", 17, 0),
        ("duration", "5m", 0),
        ("array<", "x", 0),
    ],
)
def test_an_assigned_value_has_the_type_of_the_variable(type_: str, value: Any, expected: int) -> None:
    nodes = [an_entry(), a_node("a", "data_variable_set", config={"variable": "v", "value": value})]
    document = a_flow_of_ways(nodes, "entry>a", variables=[{"name": "v", "type": type_}])

    assert codes(document).count("SF312") == expected


def test_a_wrong_assignment_says_which_and_why() -> None:
    pairs = [{"variable": "v", "value": 1}, {"variable": "v", "value": "high"}]
    nodes = [an_entry(), a_node("a", "data_variable_set", config={"assignments": pairs})]
    document = a_flow_of_ways(nodes, "entry>a", variables=[{"name": "v", "type": "int"}])

    ((path, message, _),) = found(document, "SF312")
    assert path == "nodes[1].config.assignments[1].value"
    assert message == "node 'a' assigns to 'v', which is int: 'high' is no int"


def test_defaults_fit_their_types() -> None:
    variables = [
        {"name": "a", "type": "int", "default": "none"},
        {"name": "b", "type": "array<string>", "default": ["x", 1]},
        {"name": "c", "type": "string", "default": None},
        {"name": "d", "type": "array<string", "default": 3},
    ]
    document = a_flow_of_ways(
        [an_entry(), a_text("x", "{{ a }}{{ b }}{{ c }}{{ d }}")], "entry>x", variables=variables
    )

    assert [path for path, *_ in found(document, "SF313")] == ["variables[0].default", "variables[1].default"]
    assert [path for path, *_ in found(document, "SF311")] == ["variables[3].type"]


def test_types_in_schemas_are_read() -> None:
    nodes = [
        an_entry_with(a="map<string", b="Whatever"),
        a_model("m", output_schema={"x": "enum[", "y": "int?"}),
    ]

    assert [path for path, *_ in found(a_flow_of_ways(nodes, "entry>m"), "SF311")] == [
        "nodes[0].config.input_schema.a",
        "nodes[1].config.output_schema.x",
    ]


@pytest.mark.parametrize(
    ("type_", "fix"),
    [
        ("flot", "did you mean 'float'?"),
        ("array<strng>?", "did you mean 'string'?"),
        ("map<string, Integer>", "did you mean 'int'?"),
        ("boolean", "did you mean 'bool'?"),
        ("String", "did you mean 'string'?"),
    ],
)
def test_a_type_that_is_almost_one_is_found(type_: str, fix: str) -> None:
    nodes = [an_entry_with(a=type_), a_model("m", output_schema={"x": type_})]
    document = a_flow_of_ways(nodes, "entry>m", variables=[{"name": "v", "type": type_}])

    assert [(path, meant) for path, _, meant in found(document, "SF314")] == [
        ("nodes[0].config.input_schema.a", fix),
        ("nodes[1].config.output_schema.x", fix),
        ("variables[0].type", fix),
    ]


@pytest.mark.parametrize("type_", ["any", "uuid", "enum[integer, str]", "Invoice", "array<Order>", "object"])
def test_types_of_the_language_and_declared_ones_are_not_misnamed(type_: str) -> None:
    document = a_flow_of_ways([an_entry_with(a=type_), a_text("b")], "entry>b")

    assert found(document, "SF314") == []


@pytest.mark.parametrize("name", ["my thing", "1st", "input", "result"])
def test_a_binding_that_no_expression_can_ask_for_is_to_be_called_otherwise(name: str) -> None:
    node = a_node("a", "llm_rigid", config={"template": "x", "result_binding": name})

    ((_, _, fix),) = found(a_flow_of_ways([an_entry(), node], "entry>a"), "SF309")
    assert fix is not None
    assert "call it otherwise" in fix


def test_values_that_show_a_template_fit_every_type() -> None:
    assert misfit(["{{ x }}"], parse_type("array<int>")) is None
