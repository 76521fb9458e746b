"""What the compiler says: every documented rule, the messages of the public contract, their order and places."""

from pathlib import Path
from typing import Any

import pytest
from compiler_documents import a_decision, a_flow, a_node, a_text, an_entry

from scaiflow_api.compiler import CompileError, Diagnostic, compile_flow, diagnostics, validate_flow
from scaiflow_api.compiler.diagnostics import Rule, document_position
from scaiflow_api.compiler.diagnostics_page import (
    BASE,
    RULES,
    diagnostics_page,
    findings_of_example,
)
from scaiflow_api.flowgraph import FlowTooLarge, Limits, problems

PAGE = Path(__file__).parents[2] / "docs" / "diagnostics.md"


def codes(document: Any) -> list[str]:
    return [found.code for found in validate_flow(document)]


def only(document: Any) -> Diagnostic:
    (found,) = validate_flow(document)
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_example_of_a_rule_shows_it(rule: Rule) -> None:
    found = [item for item in findings_of_example(rule) if item.code == rule.code]

    assert found
    assert found[0].severity == rule.severity


def test_the_base_of_the_examples_has_no_findings() -> None:
    assert validate_flow(dict(BASE)) == []


def test_the_page_of_diagnostics_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == diagnostics_page()


def test_codes_and_names_are_used_once() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)


def test_every_problem_of_the_document_itself_has_a_rule() -> None:
    known = {value for name, value in vars(problems).items() if name.isupper()}

    assert known == {rule.code for rule in RULES if rule.code.startswith("SF0")}


# Messages of the public contract


def test_a_dangling_source_port_is_reported_as_documented() -> None:
    document = a_flow(
        [an_entry(), a_text("node_abc"), a_text("node_b")], ("entry", "node_abc"), ("entry", "node_b")
    )
    edge = {"node": "node_abc", "port": "out_typo"}, {"node": "node_b", "port": "in"}
    document["edges"].append({"id": "edge_xyz", "type": "sequential", "source": edge[0], "target": edge[1]})

    assert only(document).as_dict() == {
        "severity": "error",
        "code": "SF102",
        "message": "edge 'edge_xyz': source node 'node_abc' has no output port 'out_typo'",
        "path": "edges[2]",
        "node_id": None,
        "edge_id": "edge_xyz",
        "fix": "did you mean 'out'?",
    }


def test_a_dangling_target_port_is_reported_in_the_same_words() -> None:
    document = a_flow([an_entry(), a_text("node_b")], ("entry", "node_b"))
    document["edges"][0]["target"]["port"] = "elsewhere"

    messages = [found.message for found in validate_flow(document) if found.severity == "error"]

    assert messages == ["edge 'edge_1': target node 'node_b' has no input port 'elsewhere'"]


def test_an_undeclared_role_is_reported_as_documented() -> None:
    node = a_node("node_xyz", "llm_flexible", config={"goal": "Go.", "llm_role": "fastt"})
    found = only(a_flow([an_entry(), node], ("entry", "node_xyz")))

    assert found.message == "llm_role validation failed: node 'node_xyz': llm_role='fastt' is not declared"
    assert (found.path, found.node_id, found.fix) == (
        "nodes[1].config.llm_role",
        "node_xyz",
        "did you mean 'fast'?",
    )


def test_a_flow_without_entry_is_reported_as_documented() -> None:
    found = only(a_flow([a_text("node_a")]))

    assert (found.message, found.path) == ("flow has no entry-point node", None)


def test_a_cycle_is_reported_as_documented() -> None:
    document = a_flow(
        [an_entry(), a_text("node_a"), a_text("node_b")],
        ("entry", "node_a"),
        ("node_a", "node_b"),
        ("node_b", "node_a"),
    )

    assert only(document).message == "cycle detected: node_a -> node_b -> node_a"


def test_a_node_that_leads_to_itself_is_a_cycle() -> None:
    document = a_flow([an_entry(), a_text("node_a")], ("entry", "node_a"), ("node_a", "node_a"))

    assert only(document).message == "cycle detected: node_a -> node_a"


def test_data_edges_make_cycles_too() -> None:
    document = a_flow([an_entry(), a_text("a"), a_text("b")], ("entry", "a"), ("a", "b"), ("b", "a"))
    document["edges"][2]["type"] = "data"

    assert only(document).message == "cycle detected: a -> b -> a"


def test_a_cycle_behind_a_parallel_node_is_reported_like_any_other() -> None:
    nodes = [an_entry(), a_node("p", "logic_parallel", config={}), a_text("a"), a_text("b")]
    ways = [("entry", "p"), ("p", "a"), ("p", "b"), ("a", "b"), ("b", "a")]

    assert only(a_flow(nodes, *ways)).message == "cycle detected: a -> b -> a"


def test_each_knot_of_cycles_is_reported_once_by_a_shortest_way() -> None:
    nodes = [an_entry(), *map(a_text, "abcdef")]
    ways = [
        ("entry", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("b", "a"),
        ("c", "d"),
        ("d", "e"),
        ("e", "d"),
    ]

    messages = [found.message for found in validate_flow(a_flow(nodes, *ways)) if found.code == "SF111"]

    assert messages == ["cycle detected: a -> b -> a", "cycle detected: d -> e -> d"]


def test_an_unused_extra_port_is_reported_as_documented() -> None:
    node = a_text("node_review") | {"outputs": [{"id": "out"}, {"id": "out_aux"}]}
    document = a_flow([an_entry(), node, a_text("b")], ("entry", "node_review"), ("node_review", "b"))

    found = only(document)

    assert found.message == "node 'node_review' has an unused output port 'out_aux'"
    assert (found.severity, found.node_id, found.edge_id) == ("warning", "node_review", None)


def test_the_last_node_of_a_path_is_not_reported_for_its_open_ports() -> None:
    node = a_text("node_review") | {"outputs": [{"id": "out"}, {"id": "out_aux"}]}

    assert codes(a_flow([an_entry(), node], ("entry", "node_review"))) == []


# Order, completeness, robustness


def test_findings_come_in_the_order_of_the_document_not_of_its_text() -> None:
    nodes = [an_entry(), *(a_node(f"n{number}", "llm_rigid", config={}) for number in range(11))]
    ways = [("entry", f"n{number}") for number in range(11)]
    document = a_flow(nodes, *ways)
    document["edges"][10]["condition"] = document["edges"][2]["condition"] = "x"

    paths = [found.path for found in validate_flow(document)]

    assert paths == [f"nodes[{number}].config.template" for number in range(1, 12)] + [
        "edges[2].condition",
        "edges[10].condition",
    ]


def test_what_concerns_the_whole_flow_comes_before_its_parts() -> None:
    paths = [None, "id", "nodes[2]", "nodes[10]", "edges[0]", "config.plugins[0]", "tests[1]", "zzz"]

    assert sorted(set(paths), key=document_position) == paths


def test_broken_edges_do_not_hide_what_is_wrong_elsewhere() -> None:
    document = a_flow(
        [an_entry(), a_node("a", "llm_rigid", config={}), a_text("b"), a_text("c")],
        ("entry", "a"),
        ("a", "nobody"),
        ("b", "c"),
        ("c", "b"),
    )

    assert codes(document) == ["SF201", "SF111", "SF112", "SF112", "SF101"]


def test_what_only_a_broken_edge_would_lead_to_is_not_unreachable_as_well() -> None:
    document = a_flow([an_entry(), a_text("a"), a_text("b"), a_text("lost")], ("entry", "a"), ("a", "b"))
    document["edges"][0]["source"]["port"] = "out_typo"

    assert [(item.code, item.node_id) for item in validate_flow(document)] == [
        ("SF112", "lost"),
        ("SF102", None),
    ]


def test_a_node_whose_id_is_mistyped_at_an_edge_is_not_unreachable_as_well() -> None:
    nodes = [an_entry(), a_text("node_check"), a_text("node_reply"), a_text("node_b")]
    document = a_flow(nodes, ("entry", "node_chek"), ("node_check", "node_reply"), ("node_repli", "node_b"))

    assert [(item.code, item.fix) for item in validate_flow(document)] == [
        ("SF101", "did you mean 'node_check'?"),
        ("SF101", "did you mean 'node_reply'?"),
    ]


def test_a_node_whose_id_was_changed_is_named_to_the_edges_that_it_lost() -> None:
    nodes = [an_entry(), a_text("node_triage"), a_text("node_decision")]
    document = a_flow(nodes, ("entry", "node_classify"), ("node_classify", "node_decision"))

    assert [(item.code, item.fix) for item in validate_flow(document)] == [
        ("SF101", "did you mean 'node_triage', which no edge names?"),
        ("SF101", "did you mean 'node_triage', which no edge names?"),
    ]


@pytest.mark.parametrize(
    ("target", "fix"),
    [
        ("node_respond", None),
        ("node_x", None),
        ("reply", "did you mean 'node_reply'?"),
        ("ndoe_reply", "did you mean 'node_reply'?"),
    ],
)
def test_a_prefix_alone_does_not_make_ids_alike(target: str, fix: str | None) -> None:
    nodes = [an_entry(), a_text("node_reply"), a_text("node_c")]
    document = a_flow(nodes, ("entry", "node_reply"), ("node_reply", "node_c"), ("node_c", target))

    assert (only(document).code, only(document).fix) == ("SF101", fix)


@pytest.mark.parametrize("change", [{"source": {"node": "d", "port": "yes"}}, {"type": "sequential"}])
def test_what_the_condition_of_an_edge_without_effect_reads_is_not_unused_as_well(change: Any) -> None:
    config = {"goal": "Go.", "llm_role": "fast", "output_schema": {"sure": "bool"}, "result_binding": "seen"}
    nodes = [
        an_entry(),
        a_node("m", "llm_flexible", config=config),
        a_decision("d"),
        a_text("a"),
        a_text("b"),
    ]
    document = a_flow(
        nodes,
        ("entry", "m"),
        ("m", "d"),
        ("d", "b", "true"),
        ("d", "a", "m.sure && seen && limit > 1"),
        variables=[{"name": "limit", "type": "int", "default": 2}],
    )
    document["edges"][3] |= change

    assert [item.path for item in validate_flow(document) if item.code not in {"SF520", "SF114"}] == [
        "edges[3]" if "source" in change else "edges[3].condition"
    ]


def test_a_name_is_not_unbound_because_an_edge_is_broken() -> None:
    nodes = [an_entry(), a_text("node_b", "{{ a }}"), a_text("node_a")]
    document = a_flow(nodes, ("entry", "node_a"), ("node_a", "node_b"))
    document["edges"][1]["source"]["port"] = "bad"

    assert codes(document) == ["SF102"]


def test_what_a_round_leaves_is_not_unbound_because_the_edge_into_the_body_is_broken() -> None:
    loop = a_node("each", "logic_loop", config={"items": "[1]", "collect": "sum"})
    document = a_flow([an_entry(), loop, a_text("sum")], ("entry", "each"), ("each", "sum"))
    document["edges"][1]["source"]["port"] = "Body"

    assert [(item.code, item.fix) for item in validate_flow(document)] == [("SF102", "did you mean 'body'?")]


def test_an_id_that_was_mistyped_at_its_node_is_named_before_one_that_is_like_it() -> None:
    nodes = [an_entry(), a_text("noe_review"), a_text("node_reviewed")]
    document = a_flow(nodes, ("entry", "node_review"), ("node_review", "node_reviewed"))

    assert [(item.code, item.fix) for item in validate_flow(document)] == [
        ("SF101", "did you mean 'noe_review', which no edge names?"),
        ("SF101", "did you mean 'noe_review', which no edge names?"),
    ]


def test_a_join_is_not_entered_from_outside_because_a_branch_is_broken() -> None:
    nodes = [an_entry(), a_node("p", "logic_parallel", config={}), *map(a_text, "abj")]
    ways = [("entry", "p"), ("p", "a"), ("p", "b"), ("a", "j"), ("b", "j")]
    document = a_flow(nodes, *ways)
    document["edges"][1]["source"]["port"] = "oot"

    assert codes(document) == ["SF102"]


def test_a_name_is_not_out_of_sight_because_the_edge_into_the_body_is_broken() -> None:
    loop = a_node("loop", "logic_loop", config={"items": "[1]"})
    document = a_flow([an_entry(), loop, a_text("a", "{{ item }}")], ("entry", "loop"), ("loop", "a"))
    document["edges"][1]["source"]["port"] = "boy"

    assert codes(document) == ["SF102"]


def test_a_sequential_edge_with_a_condition_is_told_once() -> None:
    document = a_flow([an_entry(), a_text("a"), a_text("b")], ("entry", "a", "true"), ("entry", "b", "x"))
    document["edges"][1]["type"] = "sequential"

    assert codes(document) == ["SF105"]


@pytest.mark.parametrize(
    ("kind", "config"),
    [("logic_loop", {"items": ""}), ("logic_loop", {"style": "while", "condition": "", "max_iterations": 1})],
)
def test_an_empty_expression_is_told_once(kind: str, config: Any) -> None:
    document = a_flow([an_entry(), a_node("n", kind, config=config), a_text("a")], ("entry", "n"), ("n", "a"))
    document["edges"][1]["source"]["port"] = "body"

    assert codes(document) == ["SF202"]


@pytest.mark.parametrize(
    ("kind", "config"), [("logic_loop", {"items": "[1]"}), ("logic_parallel", {})], ids=["loop", "parallel"]
)
def test_what_a_broken_edge_would_do_for_its_source_is_not_missed_as_well(kind: str, config: Any) -> None:
    document = a_flow(
        [an_entry(), a_node("owner", kind, config=config), a_text("a")], ("entry", "owner"), ("owner", "a")
    )
    document["edges"][1]["source"]["port"] = "bdy"

    assert codes(document) == ["SF102"]


@pytest.mark.parametrize("condition", ["{{ urgent }} == true", "score > {{ limit }}"])
def test_braces_inside_of_an_expression_are_named_as_what_is_wrong(condition: str) -> None:
    document = a_flow([an_entry(), a_text("a")], ("entry", "a"))
    document["edges"][0] |= {"type": "conditional", "condition": condition}

    found = only(document)

    assert (found.code, found.fix) == ("SF300", "write it without {{ }}: all of it is an expression")


def test_a_misspelled_key_is_named_beside_the_one_that_is_missing() -> None:
    node = a_node("a", "llm_rigid", config={"tempalte": "x"})

    found = validate_flow(a_flow([an_entry(), node], ("entry", "a")))

    assert [(item.code, item.fix) for item in found] == [
        ("SF204", "did you mean 'template'?"),
        ("SF201", None),
    ]


@pytest.mark.parametrize(
    ("change", "path", "node_id", "edge_id"),
    [
        (lambda document: document["nodes"][1].update(type="llm_rgid"), "nodes[1].type", "a", None),
        (lambda document: document["nodes"][1].pop("position"), "nodes[1].position", "a", None),
        (lambda document: document["nodes"][1].update(id="a b"), "nodes[1].id", None, None),
        (lambda document: document["nodes"][1].update(label="\0"), "nodes[1].label", "a", None),
        (lambda document: document["edges"][0].update(type="x"), "edges[0].type", None, "edge_1"),
        (lambda document: document["edges"][0]["source"].pop("port"), "edges[0].source.port", None, "edge_1"),
        (lambda document: document.update({"nodes[7]": "\0"}), "nodes[7]", None, None),
        (lambda document: document.update(nodes=[3]), "nodes[0]", None, None),
    ],
)
def test_problems_of_the_document_itself_name_their_node_or_edge(
    change: Any, path: str, node_id: str | None, edge_id: str | None
) -> None:
    document = a_flow([an_entry(), a_text("a")], ("entry", "a"))
    change(document)

    assert [(item.path, item.node_id, item.edge_id) for item in validate_flow(document)] == [
        (path, node_id, edge_id)
    ]


def test_problems_of_the_document_itself_stop_all_other_checks() -> None:
    document = a_flow([a_text("a"), a_text("a")])

    assert codes(document) == ["SF005"]


# Names


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ confidance }}", ["SF301"]),
        ("{{ confidence }}", []),
        ("{{ something_else }}", []),
        ("{{ classify.confidence }}", []),
        ("{{ node_classify.confidence }}", []),
        ("{{ input.confidance }}", []),
        ("{{ [1].map(confidance => confidance) }}", []),
        ("{{ mesage }}", ["SF301"]),
        ("{{ at }}", []),
        ("{{ None }}", ["SF301"]),
        ("{{ none }}", []),
    ],
)
def test_only_near_misses_of_known_names_are_reported(template: str, expected: list[str]) -> None:
    classify = a_node(
        "node_classify",
        "llm_flexible",
        config={"goal": "Go.", "llm_role": "fast", "output_schema": {"confidence": "float"}},
    )
    document = a_flow(
        [an_entry(), classify, a_text("node_a", template)],
        ("entry", "node_classify"),
        ("node_classify", "node_a"),
        tests=[{"name": "t", "input": {"message": "hi"}, "expect": {}}],
    )

    assert [code for code in codes(document) if code == "SF301"] == expected


def test_with_an_input_schema_every_unknown_name_is_reported() -> None:
    document = a_flow(
        [an_entry(input_schema={"message": "string"}), a_text("a", "{{ weather }}")], ("entry", "a")
    )

    assert codes(document) == ["SF301"]


def test_result_is_known_in_validate_alone() -> None:
    config = {"goal": "Go.", "llm_role": "fast", "validate": "result.ok", "guard": "result.ok"}
    entry = an_entry(input_schema={})
    document = a_flow([entry, a_node("a", "llm_guarded", config=config)], ("entry", "a"))

    assert [(item.code, item.path) for item in validate_flow(document)] == [
        ("SF301", "nodes[1].config.guard")
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"nodes": [an_entry(), a_text("__a")]},
        {"nodes": [an_entry(), a_text("node___a")]},
        {"variables": [{"name": "__v", "type": "int"}]},
        {"nodes": [an_entry(), a_node("a", "llm_rigid", config={"template": "x", "result_binding": "__r"})]},
        {
            "nodes": [
                an_entry(),
                a_node("a", "llm_flexible", config={"goal": "x", "output_schema": {"__f": "int"}}),
            ]
        },
        {
            "nodes": [
                an_entry(),
                a_node("a", "llm_flexible", config={"goal": "x", "input_bindings": {"__entry": 1}}),
            ]
        },
    ],
)
def test_names_of_the_compiler_cannot_be_taken(part: Any) -> None:
    assert "SF305" in codes({**a_flow([an_entry()]), **part})


@pytest.mark.parametrize("name", ["__run_a", "__entry", "__x"])
def test_names_of_the_compiler_cannot_be_asked_for(name: str) -> None:
    nodes = [an_entry(), a_text("a", f"{{{{ {name} }}}}"), a_text("b")]
    document = a_flow(nodes, ("entry", "a"), ("a", "b", f"{name} == 'x'"))

    found = [item for item in validate_flow(document) if item.code == "SF305"]

    assert [(item.path, item.fix) for item in found] == [
        ("nodes[1].config.template", "rename it"),
        ("edges[1].condition", "rename it"),
    ]
    with pytest.raises(CompileError):
        compile_flow(document)


def test_the_subject_of_a_decision_of_style_if_is_not_read() -> None:
    document = a_flow(
        [an_entry(), a_decision("d", style="if", subject="not an expression (")], ("entry", "d")
    )

    assert codes(document) == []


@pytest.mark.parametrize(
    ("kind", "config", "message", "fix"),
    [
        (
            "tool_http",
            {"url": "https://acme.example/", "method": "PSOT"},
            "config.method must be one of 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE' or 'OPTIONS'",
            "did you mean 'POST'?",
        ),
        (
            "hitl_review",
            {"queue": "q", "scope": "s", "sections": [{"type": "desicion"}]},
            "config.sections[0].type must be one of 'context', 'input' or 'decision'",
            "did you mean 'decision'?",
        ),
        (
            "checkpoint",
            {"options": ["approve", "reject"], "on_timeout": "resolve:aprove", "timeout": "1h"},
            "config.on_timeout is not valid: 'aprove' is none of the options",
            "did you mean 'resolve:approve'?",
        ),
        (
            "checkpoint",
            {"on_timeout": "ecalate", "timeout": "1h"},
            "config.on_timeout is not valid: expected fail, escalate, continue or resolve:<option>",
            "did you mean 'escalate'?",
        ),
        (
            "logic_loop",
            {"items": "x", "item_var": "my item"},
            "config.item_var must begin with a letter or underscore and have only letters, digits and underscores",
            None,
        ),
    ],
)
def test_a_wrong_value_says_which_ones_are_right(
    kind: str, config: Any, message: str, fix: str | None
) -> None:
    document = a_flow([an_entry(), a_node("n", kind, config=config)], ("entry", "n"))

    found = [(item.message, item.fix) for item in validate_flow(document) if item.code == "SF202"]

    assert found == [(f"node 'n': {message}", fix)]


# Limits


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(max_nodes=1), "nodes"),
        (Limits(max_edges=0), "edges"),
        (Limits(max_bytes=100), "bytes"),
        (Limits(max_nesting=3), "nesting"),
        (Limits(max_expression_characters=5), "expression characters"),
    ],
)
def test_a_flow_beyond_a_limit_is_refused_by_name(limits: Limits, limit: str) -> None:
    document = a_flow([an_entry(), a_text("a", "{{ x }}")], ("entry", "a"))

    for check in (validate_flow, compile_flow):
        with pytest.raises(FlowTooLarge) as refused:
            check(document, limits=limits)
        assert refused.value.fields["limit"] == limit


def test_thousands_of_mistakes_are_found_in_reasonable_time() -> None:
    nodes = [an_entry(), *(a_text(f"node_{number}", f"{{{{ nam_{number} }}}}") for number in range(1000))]
    ways = [(f"node_{number}", f"nodd_{number}") for number in range(3000)]

    assert len(validate_flow(a_flow(nodes, *ways))) > 3000


def test_findings_are_bounded_and_errors_are_not_lost_among_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "MAX_FINDINGS", 10)
    warned = [a_node(f"n{number}", "llm_rigid", config={"template": "x", "more": 1}) for number in range(30)]
    wrong = [a_node(f"m{number}", "llm_rigid", config={}) for number in range(30)]

    found = validate_flow(a_flow([an_entry(), *warned, *wrong]))

    assert [item.severity for item in found].count("warning") == 10
    assert [item.severity for item in found].count("error") == 10
    with pytest.raises(CompileError) as refused:
        compile_flow(a_flow([an_entry(), *warned, wrong[0]]))
    assert [item.severity for item in refused.value.diagnostics].count("error") == 1
