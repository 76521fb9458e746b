"""`.scai` text: always there, always in balance, and nothing of the module's structure is lost."""

import json
import re
from typing import Any

import pytest
from compiler import compiler_hostile_shapes, compiler_work
from compiler.compiler_random_flows import flows
from compiler_modules import NASTY, a_module, calls, every_kind, modules, on_flags, says, sets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import compile_flow, ir
from scaiflow_api.compiler.bundle.framing import read_bundle, write_bundle
from scaiflow_api.compiler.scai import lines
from scaiflow_api.compiler.scai.lines import Texts, long_text, name, quoted, value
from scaiflow_api.compiler.scai.text import emit_scai
from scaiflow_api.flowgraph import FlowTooLarge

SLOW = [HealthCheck.too_slow]
TOKEN = re.compile(
    r'(?P<long>"""\n.*?""")|(?P<text>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')|(?P<note>//[^\n]*)|(?P<sign>.)',
    re.DOTALL,
)
PAIRS = {")": "(", "]": "[", "}": "{"}


def signs(text: str) -> str:
    """Return the text without its strings and comments."""
    return "".join(match["sign"] or "" for match in TOKEN.finditer(text))


def is_balanced(text: str) -> bool:
    opened: list[str] = []
    for sign in signs(text):
        if sign in "([{":
            opened.append(sign)
        elif sign in PAIRS and (not opened or opened.pop() != PAIRS[sign]):
            return False
    return not opened


def check(module: ir.Module) -> None:
    text = emit_scai(module)

    assert is_balanced(text)
    assert text.replace("\n", "").isprintable()
    assert '"' not in signs(text)
    assert emit_scai(module) == emit_scai(read_bundle(write_bundle(module))) == text
    for flow in module.flows:
        for block in ir.walk(flow.body):
            assert block.node_id is None or f"// {name(block.node_id)}" in text


def body_of(*body: ir.AnyBlock) -> str:
    """Return the lines of the flow's body."""
    text = emit_scai(a_module(*body))
    return text[text.index("@flow main(message: string) {\n") + 30 : -6].replace("\n    ", "\n").strip()


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(modules())
def test_any_module_has_a_text_in_balance_with_all_its_nodes(module: ir.Module) -> None:
    check(module)


@settings(deadline=None, max_examples=50, suppress_health_check=SLOW)
@given(flows())
def test_compiled_flows_have_one_too(document: Any) -> None:
    compiled = compile_flow(document, "scai")
    check(compiled.module)
    assert compiled.text == emit_scai(compiled.module)


def test_every_kind_and_every_field_of_the_sample_shows() -> None:
    module = every_kind()
    text = emit_scai(module)

    check(module)
    for block in ir.walk(module.flows[0].body):
        assert f"@{block.kind}" in text
    for shown in (
        *('entity(key = "message")', "@api entry", "@webhook hook", "@schedule tick", 'cron = "0 * * * *"'),
        *('primary = { ref = "scaigrid"', 'v: int = 0  // "How often."', "publish_as_model = true"),
        *('// node_a llm_rigid "Say \\"hello\\""', "retry(max=2) | escalate", "output: { text: string }"),
        *("when c > 1 => {}  // edge_3", "'a' => {  // edge_2", "@foreach n, i in [1, 2] {", "yield v"),
        *("merge [node_l]", "// before node_m", "on_error of node_n", "@data { d = node_a, e = node_entry }"),
        *("@catch {", "guard { a != null }", 'target = "core://acme/other"', "node_i unless node_j"),
    ):
        assert shown in text


def test_blocks_look_like_source() -> None:
    assert (
        body_of(
            sets(__run_a=False),
            says("node_hello", "Hello {{ message }}"),
            calls("node_find", path="/docs", query="{{ message.text }}"),
            on_flags(("__run_a", (says("node_b", "{{ hello }}"),))),
        )
        == """\
@rigid {  // generated
  __run_a = false
}
hello = @rigid {  // node_hello
  "Hello {{ message }}"
}
found = @rigid {  // node_find
  drive.search(path = "/docs", query = message.text)
}
@match {  // generated
  when __run_a => {
    b = @rigid {  // node_b
      hello
    }
  }
}"""
    )


def test_what_is_long_stands_on_several_lines() -> None:
    text = body_of(calls("node_a", path="x" * 60, more=["y" * 60, {"z": 1}]))

    assert text.splitlines()[1:-1] == [
        "  drive.search(",
        f'    path = "{"x" * 60}",',
        f'    more = ["{"y" * 60}", {{ z = 1 }}],',
        "  )",
    ]


def test_texts_of_several_lines_are_written_as_such_where_nothing_is_hidden() -> None:
    assert long_text("a\n\n  b\n", "  ") == '"""\n  a\n\n    b\n\n  """'
    for hidden in ("one line", "a \nb", "a\n\tb", 'a\n"""', "a\n\\b", "a\r\nb", "a\n\u202eb"):
        assert long_text(hidden, "  ") == quoted(hidden)


@given(st.text() | st.sampled_from(NASTY))
def test_a_quoted_text_is_one_line_of_visible_signs_and_can_be_read_back(text: str) -> None:
    literal = quoted(text)

    assert literal.isprintable()
    assert json.loads(literal) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{{ a.b }}", "a.b"),
        ("{{a > 1 ? {x: 1} : '}'}}", "a > 1 ? {x: 1} : '}'"),
        ("{{ a }} and {{ b }}", '"{{ a }} and {{ b }}"'),
        ("{{ a", '"{{ a"'),
        ("{{ a + }}", '"{{ a + }}"'),
        ("{{ a\n+ b }}", '"{{ a\\n+ b }}"'),
        ("a.b", '"a.b"'),
        ("", '""'),
    ],
)
def test_a_template_is_bare_only_where_it_is_one_expression(text: str, written: str) -> None:
    assert Texts().template(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "{{a}}",
        " {{ a }}\n",
        "{{a}} {{a}}",
        "{{ {a: {b: a}} }}",
        "{{}}",
        "{{a}",
        "a",
        "{{" + " " * 4_096 + "a}}",
    ],
)
def test_a_template_that_was_read_before_is_written_like_any_other(text: str) -> None:
    readable = {"a", "{a: {b: a}}"}

    assert Texts(readable).template(text) == Texts().template(text)


def test_what_was_read_when_it_was_checked_is_not_read_again() -> None:
    """Neither templates nor conditions: beside a bundle, twice as long an expression is no more work."""

    def work(terms: int) -> int:
        text = " + ".join(["a"] * terms)
        document = compiler_hostile_shapes.flow(
            [compiler_hostile_shapes.node("n", template=f"{{{{ {text} }}}}")], [("entry", "n", text)]
        )
        bundle, scai = (compiler_work.calls(lambda: compile_flow(document, each)) for each in ("ir", "scai"))  # noqa: B023
        return scai - bundle

    work(100)  # fills what is remembered
    assert work(400) == work(200)


def test_expressions_that_cannot_be_read_are_quoted() -> None:
    assert Texts().expression("a > 1 && b in ['}']") == "a > 1 && b in ['}']"
    assert Texts().expression("a > {") == '"a > {"'


def test_names_that_are_no_identifiers_are_quoted() -> None:
    assert [name(text) for text in ("a_1", "A", "1a", "a-b", "", "a b", "é")] == [
        *("a_1", "A"),
        *('"1a"', '"a-b"', '""', '"a b"', '"é"'),
    ]


def test_values_have_the_signs_of_the_language() -> None:
    item = {"a": None, "b c": [True, 1.5, "x"], "d": {}, "e": [], "f": -3}

    assert value(item, "") == '{ a = null, "b c" = [true, 1.5, "x"], d = {}, e = [], f = -3 }'


def test_what_nests_twice_as_deep_is_twice_the_work() -> None:
    def work(depth: int) -> int:
        item: Any = "text"
        for _ in range(depth):
            item = {"a": item}
        return compiler_work.calls(lambda: value(item, ""))

    assert work(100) < 2.2 * work(50)


@pytest.mark.parametrize(
    "item",
    [[1] * 1_000, ["a"] * 1_000, [[1.5]] * 1_000, [{}] * 1_000, "a\n" * 1_000],
    ids=["numbers", "texts", "lists", "objects", "lines"],
)
def test_a_text_that_is_too_long_is_refused_before_it_is_written(
    item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = value(item, "")
    monkeypatch.setattr(lines, "MAX_CHARACTERS", len(whole))
    assert value(item, "") == whole
    monkeypatch.setattr(lines, "MAX_CHARACTERS", 1_000)

    def work(times: int) -> int:
        def refused() -> None:
            with pytest.raises(FlowTooLarge, match="its limit of characters of text is 1000,"):
                value(item * times, " " * 4)

        return compiler_work.calls(refused)

    work(1)  # fills what is remembered
    assert work(2) == work(1)


def test_a_page_is_not_longer_than_a_text_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_flow(compiler_hostile_shapes.flow([]))
    monkeypatch.setattr(lines, "MAX_CHARACTERS", len(emit_scai(compiled.module)))
    emit_scai(compiled.module)
    monkeypatch.setattr(lines, "MAX_CHARACTERS", 100)

    with pytest.raises(FlowTooLarge):
        emit_scai(compiled.module)
