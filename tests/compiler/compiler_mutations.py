"""Broken documents and broken bytes, made of sound ones.

Whoever chooses decides how: `choose(n)` returns a number from 0 to n - 1, and may draw it at random, from
Hypothesis or from the bytes of a coverage-guided fuzzer.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Choose: TypeAlias = Callable[[int], int]
Way: TypeAlias = tuple[Any, ...]

# fmt: off
LOOK_SPECIAL = (
    "__proto__", "constructor", "prototype", "toString", "__class__", "__init__", "__dict__", "hasOwnProperty",
    "kind", "node_id", "input", "output", "result", "item", "length", "true", "null", "None", "NaN", "self",
    "", " ", ".", "..", "[0]", "a.b", "a[0]", "<<", "!!str", "&a", "*a", "~", "no", "0x1f", "1e5", "2001-01-01",
)
"""Texts that some language or format takes for more than they are."""
UNUSUAL = (
    "\x01", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028", "\u202e", "\ufeff", "\uffff", "\U0001f600", "e\u0301",
    "\r", "\r\n", "\t", "\n\n ", "- x", "x: y", "# x", "'", '"', "\\", "%", "{", "}", "{}", "{0}", "{name}", "%s",
)
"""Texts with what breaks a naive writer or message."""
TEMPLATES = (
    "{{", "}}", "{{}}", "{{ }}", "\\{{ a }}", "{{ a }}", "{{ input.a }}", "{{ {a: {b: 1}} }}", "{{ '}}' }}",
    "{{ a b }}", "{{ 1 / 0 }}", "{{ item }}", "{{ n0.a[0] }}", "{{ a.nonsense() }}", "{{ x => x }}",
    "{{ null > 1 }}", "a && b || c ?? d", "a ? b : c", "a.map(x => x.y)", ":a", "{a: 1}", "[1, [2]]",
    "not a in b", "(" * 70, "-" * 70,
)
BAD_TEXTS = ("\0", "a\0b", "\ud800", "x\udfff")
"""Texts that no document may have."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**53, -(2**53), 2**53 + 1, 2**64, 0.5, -0.0, 1e308, float("inf"), float("nan"),
    [], {}, [[]], [{}], {"a": {}}, [None], {"": None},
    *LOOK_SPECIAL, *UNUSUAL, *TEMPLATES, *BAD_TEXTS,
    "30s", "0s", "-1s", "999999999999w", "retry(max=3) | continue", "retry(max=0)", "resolve:yes", "continue",
    "fail", "* * * * *", "0 0 31 2 *", "Europe/Berlin", "core://acme/x", "http://x", "enum[a, b]",
    "list<list<int>>", "a" * 200, "sequential", "conditional", "data", "body", "out", "in", "foreach", "while",
    "match", "if", "json", "webhook", "logic_loop", "logic_parallel", "logic_decision", "entry_api",
    "checkpoint", "hitl_review", "tool_plugin",
)
# fmt: on
KEYS = (*LOOK_SPECIAL, *UNUSUAL, *BAD_TEXTS)


def ways(value: Any, way: Way = ()) -> list[Way]:
    """Return the way to every value inside a value, each before those inside it."""
    found = [way] if way else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += ways(item, (*way, key))
    return found


def at(value: Any, way: Way) -> Any:
    for key in way:
        value = value[key]
    return value


def mutate(document: Any, choose: Choose, others: Sequence[Any] = ()) -> None:
    """Change one thing, anywhere in a document; parts may come from the others."""
    found = ways(document)
    if not found:
        return
    way = found[choose(len(found))]
    parent, key = at(document, way[:-1]), way[-1]
    match choose(7):
        case 0:
            del parent[key]
        case 1 | 2:
            parent[key] = copy.deepcopy(VALUES[choose(len(VALUES))])
        case 3 | 4:
            source = others[choose(len(others))] if others and choose(2) else document
            there = ways(source)
            # Mostly what stands under the same key elsewhere: it has the right type, and the wrong meaning.
            alike = [item for item in there if item[-1] == key] if choose(4) else there
            if alike:
                parent[key] = copy.deepcopy(at(source, alike[choose(len(alike))]))
        case 5 if isinstance(parent, list):
            parent.insert(choose(len(parent) + 1), copy.deepcopy(parent[key]))
        case _ if isinstance(parent, dict):
            parent[KEYS[choose(len(KEYS))]] = parent.pop(key) if choose(2) else copy.deepcopy(parent[key])


def mutate_bytes(data: bytes, choose: Choose, parts: Sequence[bytes]) -> bytes:
    """Return the bytes with one place changed: cut, doubled, moved, flipped, or with a part put in."""
    start = choose(len(data) + 1)
    end = min(len(data), start + choose(40))
    match choose(6):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:start] + data[start:end] * (2 + choose(3)) + data[end:]
        case 2:
            return data[:start] + bytes([choose(256)]) + data[start + 1 :]
        case 3:
            return data[:start] + parts[choose(len(parts))] + data[start:]
        case 4:
            return data[:start] + parts[choose(len(parts))] + data[end:]
        case _:
            to = choose(len(data) + 1)
            return data[:to] + data[start:end] + data[to:]
