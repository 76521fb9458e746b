"""The text of manifests: the same value under YAML 1.1 and 1.2, in block style, the same bytes every time."""

import math
from typing import Any

import pytest
import ryaml
import yaml
from compiler.compiler_work import calls
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler.manifest.yaml_text import TooLong, write_yaml

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",))) | st.text(
    alphabet="ab \n\t:#-'\"{}[]|>&*!%@,0"
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
TRAPS = [
    *(
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "true",
        "False",
        "null",
        "Null",
        "~",
        "",
        " ",
        "nan",
        ".nan",
        ".inf",
    ),
    *(
        "1",
        "010",
        "0o17",
        "0x1F",
        "0b1",
        "+1",
        "-1",
        "1_000",
        "1.5",
        ".5",
        "5.",
        "1e3",
        "1.0e+3",
        "1:30",
        "1:30.5",
    ),
    *(
        "2001-01-01",
        "2001-01-01T00:00:00Z",
        "=",
        "<<",
        "-",
        "- a",
        "?",
        "? a",
        ":",
        "a:",
        "a: b",
        "a #b",
        "#",
        "#a",
    ),
    *(
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'a'",
        '"a"',
        "{a}",
        "[a]",
        "a, b",
        "---",
        "...",
        "--- a",
        "{{a}}",
    ),
    *(
        " a",
        "a ",
        "a\n",
        "\na",
        "a\n\n",
        "a\nb",
        "a\n b",
        " a\nb",
        "a \nb",
        "a\tb",
        "a\r\nb",
        "a\n\tb",
        "a\nb\n\n",
    ),
    *(
        "\x07",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ufffe",
        "é",
        "\U0001f600",
        "\U0001fffe",
        "a\n\u2028",
        "\\",
        "\\n",
    ),
    *(
        "a\n# b",
        "a\n---\nb",
        "a\n...",
        "x" * 2000,
        "null null",
        "a - b",
        "a -",
        "it's",
        "don't, (ever)",
        "/",
        "a/b.c-d",
    ),
]


def check(value: dict[str, Any]) -> None:
    text = write_yaml(value)
    assert ryaml.loads(text) == value
    assert yaml.load(text, Loader=yaml.CSafeLoader) == value


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_both_versions_of_yaml_read_what_was_written(value: dict[str, Any]) -> None:
    if value:
        check(value)


@pytest.mark.parametrize("trap", TRAPS, ids=repr)
def test_texts_that_look_like_something_else_stay_texts(trap: str) -> None:
    check({"value": trap, "list": [trap, [trap]], "deep": {"er": {"value": trap}}})
    check({trap: 1})
    check({"list": [{trap: [trap]}]})


@pytest.mark.parametrize("number", [0.1, 1e-7, 1e300, -2.5e-10, 1.0, 5e-324, math.pi, 2**53, -1, 0])
def test_numbers_stay_numbers(number: float) -> None:
    check({"value": number})


@pytest.mark.parametrize("length", [900, 1100, 5000])
def test_keys_of_any_length_are_read(length: int) -> None:
    check({"k" * length: {"a": 1}, "list": [{"ü" * length: "v", "z": 1}]})


def test_blocks_are_used_and_anchors_are_not() -> None:
    shared = {"b": ["c"]}

    assert write_yaml({"a": shared, "d": [shared, [], {}, "x\ny"]}) == (
        "a:\n  b:\n    - c\nd:\n  - b:\n      - c\n  - []\n  - {}\n  - |-\n    x\n    y\n"
    )


LINES = st.text(alphabet="a\n").map(lambda text: f"a{text}a")


@settings(deadline=None, max_examples=300)
@given(
    st.recursive(VALUES | LINES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=40)
)
def test_what_may_be_written_is_not_taken_for_too_long(value: Any) -> None:
    text = write_yaml({"a": value})

    assert write_yaml({"a": value}, len(text)) == text


@pytest.mark.parametrize(
    "value",
    [[1] * 1_000, ["a b"] * 1_000, [{"a": 1, "b": 1}] * 1_000, {f"k{n}": n for n in range(1_000)}],
    ids=["numbers", "texts", "objects", "entries"],
)
def test_a_text_that_is_too_long_is_refused_before_it_is_written(value: Any) -> None:
    longer = value * 3 if isinstance(value, list) else {f"{key}{n}": n for key in value for n in range(3)}

    def work(item: Any) -> int:
        def refused() -> None:
            with pytest.raises(TooLong):
                write_yaml({"a": {"b": [item]}}, 2_000)

        return calls(refused)

    work(value)  # fills what is remembered
    assert work(longer) == work(value)


def test_a_block_of_many_lines_is_refused_before_it_is_indented() -> None:
    with pytest.raises(TooLong):
        write_yaml({"a": {"b": {"c": "a\n" * 1_000}}}, 2_000)
    write_yaml({"a": {"b": {"c": "a\n" + "\n" * 1_000 + "a"}}}, 2_000)
