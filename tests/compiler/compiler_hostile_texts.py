"""Expressions as long and as deep as they may be, as many as fit; and single texts of millions of characters."""

from collections.abc import Callable

import orjson
from compiler.compiler_documents import JSON
from compiler.compiler_hostile_shapes import Shape, Size, flow, in_turn, names, node

from scaiflow_api.expressions.limits import MAX_CHARACTERS

SHAPES: dict[str, Shape] = {}


def repeated(part: str, last: str = "a") -> Callable[[int], str]:
    """Return what makes, for any number, the longest expression of repeated parts that no other number gives."""

    def expression(number: int) -> str:
        start = f"x{number} == {number} || "
        return start + part * ((MAX_CHARACTERS - len(start) - len(last)) // len(part)) + last

    return expression


EXPRESSIONS: dict[str, Callable[[int], str]] = {
    "sums": repeated("a+"),
    "products": repeated("1*", "1"),
    "ands": repeated("a&&"),
    "ors": repeated("a||"),
    "comparisons": repeated("a==b&&"),
    "coalescing": repeated("a??"),
    "conditionals": repeated("a?b:"),
    "texts": repeated("'a'+"),
    "calls": repeated("a.map(x=>x)+"),
    "negations": repeated("!"),
    "brackets": repeated("("),
    "open_lists": repeated("["),
    "open_maps": repeated("{a:"),
    "open_lambdas": repeated("a.map(x=>"),
    "members": lambda n: f"x{n}" + ".a" * 2_000,
    "indexes": lambda n: f"x{n}" + "[0]" * 1_300,
    "methods": lambda n: f"x{n}" + ".first()" * 500,
    "lists": lambda n: f"[{n}" + ",1" * 2_000 + "]",
    "maps": lambda n: "{" + ",".join(f"k{n}_{m}:a" for m in range(300)) + "}",
    "arguments": lambda n: f"x{n}.get(" + ",".join(["a"] * 2_000) + ")",
    "operators": repeated("a&&b||c??d==e?f:"),
    "one_name": lambda n: f"x{n}".ljust(4_000, "x"),
    "many_names": lambda n: "+".join(f"v{n}_{m}" for m in range(380)),
    "names_tested": lambda n: "&&".join(f"v{n}_{m}" for m in range(360)),
    "nesting": lambda n: " + ".join(["(" * 62 + f"x{n}" + ")" * 62] * 25),
    "lambdas": lambda n: (
        "".join(f"x{n}.map(p{m}=>" for m in range(60)) + "+".join(f"p{m}" for m in range(60)) + ")" * 60
    ),
}

TEXTS = {
    "letters": "x",
    "templates": "{{a}}",
    "names": "{{ab}} {{ac}} ",
    "open_templates": "{{",
    "open_strings": "{{'",
    "open_maps": "{{{",
    "escaped_templates": "\\{{",
    "closings": "}}",
    "line_ends": "\n",
    "spaces": " ",
    "lines_of_spaces": " \n",
    "control": "\x01",
    "quotes": "\"'",
    "backslashes": "\\",
    "emoji": "\U0001f600",
    "unprintable": "\x85\u2028\ufeff",
    "keys": "sk-",
    "tokens": "eyJhbGciOiJI",
    "base64": "QUtJQUlPU0ZPRE5ON0VYQU1QTEU9",
    "key_blocks": "-----BEGIN ",
    "addresses": "http://a:b@",
    "yaml": "- : ? # ",
}


def everywhere(make: Callable[[int], str]) -> Shape:
    """Return a chain of nodes with such an expression in each template and on each edge, all of them different."""

    def build(size: Size) -> JSON:
        ids = names(max(2, min(size.nodes - 1, size.expressions // (2 * len(make(10_000)) + 10))))
        nodes = [node(name, template=f"{{{{ {make(at)} }}}}") for at, name in enumerate(ids)]
        return flow(nodes, [(*way, make(size.nodes + at)) for at, way in enumerate(in_turn(ids))])

    return build


def once(make: Callable[[int], str]) -> Shape:
    """Return a flow with one such expression, whatever the size."""
    return lambda size: flow([node("n0", template=f"{{{{ {make(0)} }}}}")], [("entry", "n0")])


def one_text(text: str) -> Shape:
    """Return a flow with such a text in a template and in a label: about four million bytes."""

    def build(size: Size) -> JSON:
        whole = text * (size.part(2_000_000) // len(orjson.dumps(text)[1:-1]))
        return flow([node("n0", template=whole), {**node("n1"), "label": whole}], in_turn(["n0", "n1"]))

    return build


for name, make in EXPRESSIONS.items():
    SHAPES[f"expression_of_{name}"] = once(make)
    SHAPES[f"expressions_of_{name}"] = everywhere(make)
for name, text in TEXTS.items():
    SHAPES[f"text_of_{name}"] = one_text(text)


def short_templates(size: Size) -> JSON:
    ids = names(size.nodes - 1)
    return flow((node(name, template="{{ a.b }} and {{ c ?? d }} " * 30) for name in ids), in_turn(ids))


def long_keys(size: Size) -> JSON:
    keys = {f"{'k' * (number % 1_200)}{number}": number for number in range(size.part(6_000))}
    return flow([node("n0", "llm_flexible", goal="Go.", input_bindings=keys)], [("entry", "n0")])


SHAPES |= {"short_templates": short_templates, "long_keys": long_keys}
