from collections import ChainMap, UserDict

import pytest

from scaiflow_api.expressions import EvaluationError, Value, evaluate, parse

SCOPE: dict[str, Value] = {
    "m": {"a": {"b": 1}, "length": "own", "keys": "k", "first": 7, "__class__": "plain", "with space": 2},
    "plain": {"a": 1, "b": 2},
    "xs": [10, 20, 30],
    "empty": [],
    "s": "héllo",
    "n": 5,
    "nothing": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m.a.b", 1),
        ("m['a']['b']", 1),
        ("m['with space']", 2),
        ("m.missing", None),
        ("m.missing.deeper[0].still", None),
        ("unbound", None),
        ("unbound.member", None),
        ("nothing.x", None),
        ("nothing['x']", None),
        ("null.x", None),
        ("n.x", None),
        ("true.x", None),
        ("s.x", None),
        ("xs.x", None),
        ("s.upper", None),
        ("m.length", "own"),
        ("m.length()", 6),
        ("m.keys", "k"),
        ("m.first", 7),
        ("plain.length", 2),
        ("plain['length']", None),
        ("plain.first", None),
        ("plain.keys", None),
        ("{}.length", 0),
        ("xs.length", 3),
        ("xs.length()", 3),
        ("xs.first", 10),
        ("xs.first()", 10),
        ("xs.last", 30),
        ("xs.last()", 30),
        ("empty.first", None),
        ("empty.last()", None),
        ("empty.length", 0),
        ("s.length", 5),
        ("s.length()", 5),
        ("s.first", None),
        ("n.length", None),
        ("xs[0]", 10),
        ("xs[2]", 30),
        ("xs[3]", None),
        ("xs[-1]", 30),
        ("xs[-3]", 10),
        ("xs[-4]", None),
        ("xs[4 / 2]", 30),
        ("xs[0.5]", None),
        ("xs[true]", None),
        ("xs['0']", None),
        ("xs[null]", None),
        ("xs[9223372036854775807]", None),
        ("xs[1e300]", None),
        ("s[1]", "é"),
        ("s[-1]", "o"),
        ("s[9]", None),
        ("plain[0]", None),
        ("plain[null]", None),
        ("plain[['a']]", None),
        ("n[0]", None),
        ("xs[xs.length - 1]", 30),
    ],
)
def test_members_and_indexes_never_raise(text: str, expected: Value) -> None:
    assert repr(evaluate(parse(text), SCOPE)) == repr(expected)


@pytest.mark.parametrize("name", ["__class__", "__dict__", "__init__", "format", "append", "real"])
def test_attributes_of_python_objects_are_out_of_reach(name: str) -> None:
    for target in ("'x'", "[]", "1", "1.5", "true", "null", "plain"):
        assert evaluate(parse(f"{target}.{name}"), SCOPE) is None
    assert evaluate(parse("m.__class__"), SCOPE) == "plain"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s.uper()", "`s.uper()`: a string has no method `uper()`; did you mean `upper()`?"),
        ("xs.Sum()", "`xs.Sum()`: a list has no method `Sum()`; did you mean `sum()`?"),
        ("plain.key()", "`plain.key()`: a map has no method `key()`; did you mean `keys()`?"),
        ("n.to_str()", "`n.to_str()`: a number has no method `to_str()`; did you mean `to_string()`?"),
        ("nothing.upper()", "`nothing.upper()`: null has no method `upper()`"),
        ("s.sum()", "`s.sum()`: a string has no method `sum()`"),
        ("s.__class__()", "`s.__class__()`: a string has no method `__class__()`"),
        ("true.map(x => x)", "`true.map(x => x)`: a bool has no method `map()`"),
        ("plain.a()", "`plain.a()`: a map has no method `a()`"),
        ("s.contains()", "`s.contains()`: contains() needs a string as its argument `sub`"),
        ("s.contains(1)", "`s.contains(1)`: contains() needs a string as `sub`, but got a number"),
        ("s.contains(null)", "`s.contains(null)`: contains() needs a string as `sub`, but got null"),
        ("s.contains(x => x)", "`s.contains(x => x)`: contains() needs a string as `sub`, but got a lambda"),
        ("s.upper(1)", "`s.upper(1)`: upper() takes no arguments, but got 1"),
        ("s.repeat(1, 2)", "`s.repeat(1, 2)`: repeat() takes at most 1 argument, but got 2"),
        ("s.slice(1, 2, 3)", "`s.slice(1, 2, 3)`: slice() takes at most 2 arguments, but got 3"),
        ("s.repeat(1.5)", "`s.repeat(1.5)`: repeat() needs a whole number as `n`, but got a number"),
        ("s.repeat(true)", "`s.repeat(true)`: repeat() needs a whole number as `n`, but got a bool"),
        ("s.pad_end(9, fil = '-')",
         "`s.pad_end(9, fil = '-')`: pad_end() has no argument `fil`; did you mean `fill`?"),
        ("s.pad_end(9, length = 3)", "`s.pad_end(9, length = 3)`: pad_end() got its argument `length` twice"),
        ("xs.map(1)", "`xs.map(1)`: map() needs a lambda such as `x => x.name` as `fn`, but got a number"),
        ("xs.map()", "`xs.map()`: map() needs a lambda such as `x => x.name` as its argument `fn`"),
        ("xs.contains(x => x)", "`xs.contains(x => x)`: contains() needs a value as `item`, but got a lambda"),
    ],
)  # fmt: skip
def test_wrong_calls_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(parse(text), SCOPE)

    assert caught.value.message == message
    assert caught.value.source == text


def test_arguments_may_be_named_and_in_any_order() -> None:
    assert evaluate(parse("'7'.pad_start(fill = '0', length = 3)"), {}) == "007"
    assert evaluate(parse("xs.map(fn = x => x + 1)"), SCOPE) == [11, 21, 31]
    assert evaluate(parse("'7'.pad_start(3, fill = null)"), {}) == "  7"


def test_lambdas_hide_outer_names_and_see_the_others() -> None:
    assert evaluate(parse("xs.map(n => n + 1)"), SCOPE) == [11, 21, 31]
    assert evaluate(parse("[1, 2].map(x => [10, 20].map(y => x * y + n))"), SCOPE) == [[15, 25], [25, 45]]
    assert evaluate(parse("[[1], [2]].map(x => x.map(x => x + 1))"), SCOPE) == [[2], [3]]


@pytest.mark.parametrize("kind", [ChainMap, UserDict])
def test_a_scope_may_be_any_mapping(kind: type) -> None:
    assert evaluate(parse("a.b ?? c"), kind({"c": 3})) == 3


def test_the_scope_is_left_as_it_was() -> None:
    scope: dict[str, Value] = {"xs": [3, 1, 2], "m": {"b": [1]}}

    evaluate(parse("[xs.sort(), xs + [9], xs.map(x => [x]), {k: m}, m.values()]"), scope)

    assert scope == {"xs": [3, 1, 2], "m": {"b": [1]}}
