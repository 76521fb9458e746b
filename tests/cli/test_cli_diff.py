"""`scaiflow diff`: what it does, what it looks like, and whether callers could break."""

import json

from scaiflow_api.compiler.interface.compare import compare_interfaces
from scaiflow_api.flowgraph.diff import diff_flows


def _change_goal(document):
    document["nodes"][1]["config"]["goal"] = "Say it twice"


def _move(document):
    document["nodes"][1]["position"]["x"] = 410


def _rename_answer(document):
    document["nodes"][1]["config"]["output_schema"] = {"reply": "string"}


def test_behaviour_and_layout_are_shown_apart(scaiflow, echo, changed):
    done = scaiflow("diff", echo, changed(lambda document: (_change_goal(document), _move(document))))

    assert done.code == 0
    assert done.lines == [
        "behaviour",
        "  ~ node node_echo",
        '      config.goal: "Repeat the user\'s message exactly: {{message}}" -> "Say it twice"',
        "layout",
        "  ~ node node_echo",
        "      position.x: 400 -> 410",
        "callers: nothing that they rely on changes",
    ]


def test_what_could_break_callers_is_said(scaiflow, echo, changed):
    done = scaiflow("diff", echo, changed(_rename_answer))

    assert done.lines[-2:] == ["callers could break", "  api POST / no longer answers with 'response'"]


def test_added_and_removed_items_are_named(scaiflow, echo, changed):
    done = scaiflow(
        "diff", echo, changed(lambda document: (document["nodes"].pop(), document["edges"].clear()))
    )

    assert "  - node node_echo llm_flexible Echo" in done.lines
    assert "  - edge edge_1 sequential node_entry -> node_echo" in done.lines


def test_only_layout_is_said_to_be_only_that(scaiflow, echo, changed):
    assert "behaviour: no difference" in scaiflow("diff", echo, changed(_move)).lines


def test_the_exit_code_tells_if_asked(scaiflow, echo, changed):
    moved = changed(_move)

    assert scaiflow("diff", echo, moved).code == 0
    assert scaiflow("diff", echo, moved, "--exit-code").code == 1
    same = scaiflow("diff", echo, "-", "--exit-code", stdin=json.dumps(json.loads(echo.read_text())))
    assert (same.code, same.lines) == (0, ["no difference"])


def test_json_is_what_the_library_says(scaiflow, echo, changed):
    new = changed(_rename_answer)
    documents = [json.loads(path.read_text()) for path in (echo, new)]

    done = scaiflow("diff", echo, new, "--json")

    assert done.json == {
        **diff_flows(*documents).as_dict(),
        "callers": {**compare_interfaces(*documents).as_dict()},
    }
    assert done.json["callers"]["breaking"] is True


def test_what_is_no_flow_is_not_compared(scaiflow, echo):
    done = scaiflow("diff", echo, "-", stdin='{"nodes": 1}')

    assert (done.code, done.output) == (2, b"")
    assert "<stdin>:1: nodes: SF003 error: nodes must be a list" in done.errors
    assert "scaiflow: <stdin> is no flow document" in done.errors


def test_standard_input_is_read_once(scaiflow):
    assert scaiflow("diff", "-", "-", stdin="{}").code == 2


def test_what_others_wrote_cannot_steer_the_terminal(scaiflow, echo, changed):
    flow = changed(lambda document: document["nodes"][1]["config"].update({"\x1b[2J": "\x1b[2J\n"}))

    done = scaiflow("diff", echo, flow)

    assert done.code == 0
    assert b"\x1b" not in done.output
