"""What needs no look for anchors and tags: never a text that has some, and all that we write."""

import pytest
import yaml
from compiler_documents import a_flow, a_text, an_entry
from compiler_random_flows import flows
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import ManifestError, compile_flow, read_manifest
from scaiflow_api.compiler.manifest.plain_form import is_in_plain_form
from scaiflow_api.compiler.manifest.text import MAX_EVENTS, load_manifest_text

MARKS = ["&x ", "&x", " &", "*x", " *x", "!t ", "!", "!!str ", "<<", "<<: "]
PIECES = [
    *(
        "  ",
        "    ",
        " ",
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        "\n\n",
        "\t",
        "\r",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *(
        "a",
        "k",
        "1",
        "-1",
        "é",
        "/",
        "(",
        "b: ",
        ": ",
        ":",
        "- ",
        "-",
        "? ",
        ", ",
        "[",
        "{",
        "}",
        "]",
        "#",
        " # ",
    ),
    *('"', '"', "'", "\\", '"q"', "'s'", '"q": ', "[a]", "{a: b}", "---\n", "...\n", "%", "a: b"),
    *("|", "|-", "|\n", "|-\n  ", ">", ">\n", "k: |\n  ", "- k: |\n    ", "- |\n "),
]


def means_more(text: str) -> bool:
    """Return whether PyYAML meets an anchor, an alias, a tag or a merge key, up to where it gives up."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                return True
            if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
                return True
    except yaml.YAMLError:
        pass
    return False


@settings(max_examples=2_000, deadline=None)
@given(st.lists(st.sampled_from(MARKS) | st.sampled_from(PIECES), max_size=16).map("".join))
def test_nothing_in_plain_form_means_more(text: str) -> None:
    assert not (is_in_plain_form(text) and means_more(text))


@pytest.mark.parametrize(
    "text",
    [
        "k: a & b\n",
        "k: a &b *c !d\n- a*b\n- a: b!c # & d\n",
        "k: |\n  &a *b\n\n  !c\n   <<: d\nl: 1\n",
        "- k: |-\n    **bold**\n  l: m\n- |\n *a\n",
        "k: \"a\\\"&b\" # c\n'l ''m': '*n'\n",
        "k: [a, b]\nl: {m: n}\no: []\np: {}\n-\n  - a\n",
        "k: a\n  goes & on\n",
        "",
        "a",
    ],
)
def test_marks_inside_of_texts_are_no_marks(text: str) -> None:
    assert is_in_plain_form(text)
    assert not means_more(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "&a b",
            "k: &a b",
            "- *a",
            "? !a b",
            "k: [a, &b c]",
            "k: [\na, *b]",
            "{k: !a b}",
            "<<: {}",
            "k: |\n  a\n &b c",
        ),
        # What looks like a quoted value ends a bracket that began before.
        '{a: b - "c, d: &x e"\n}',
        '{a: b - "c, d: !t e"\n}',
        # A line ends where YAML 1.1 says so.
        "k: a\x85l: &b c",
        "k: |\n  a\u2028&b : c",
        "# a\x85k: &b c",
    ],
)
def test_what_means_more_is_not_in_plain_form(text: str) -> None:
    assert not is_in_plain_form(text)


def test_a_tag_behind_a_lone_quote_is_found() -> None:
    with pytest.raises(ManifestError, match="has a tag"):
        load_manifest_text('{a: b - "c, d: !t e"\n}')


@settings(max_examples=50, deadline=None)
@given(flows(12), st.lists(st.sampled_from(MARKS) | st.sampled_from(PIECES), max_size=16).map("".join))
def test_what_we_write_is_in_plain_form(flow: dict[str, object], text: str) -> None:
    assert is_in_plain_form(compile_flow(flow).text)
    assume("{{" not in text)
    assert is_in_plain_form(compile_flow(a_flow([an_entry(), a_text("a", text)], ("entry", "a"))).text)


def test_many_values_beside_an_anchor_are_refused() -> None:
    text = "a: &b c\n" + "\n".join(f"k{number}: v" for number in range(MAX_EVENTS // 2))

    with pytest.raises(ManifestError, match=f"more than {MAX_EVENTS:,} values"):
        read_manifest(text)


def test_as_many_values_without_one_are_read() -> None:
    text = "\n".join(f"k{number}: a & b" for number in range(MAX_EVENTS // 2 + 1))

    assert len(load_manifest_text(text)) == MAX_EVENTS // 2 + 1
