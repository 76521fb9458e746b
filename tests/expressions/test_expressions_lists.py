import pytest

from scaiflow_api.expressions import EvaluationError, Value, evaluate, parse

SCOPE: dict[str, Value] = {
    "xs": [3, 1, 2],
    "rows": [{"n": "b", "v": 2, "k": 1}, {"n": "a", "v": 3.5, "k": 1}, {"n": "c", "v": -1, "k": 0}],
    "m": {"b": 1, "a": None},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("xs.map(x => x * 2)", [6, 2, 4]),
        ("[].map(x => x + 1)", []),
        ("xs.filter(x => x > 1)", [3, 2]),
        ("[0, '', null, 1, []].filter(x => x)", [1]),
        ("xs.any(x => x > 2)", True),
        ("xs.any(x => x > 3)", False),
        ("[0, 1].any()", True),
        ("[0, null].any()", False),
        ("[].any()", False),
        ("[1, missing, 'x'].any(x => x == 1 || x + 1)", True),
        ("xs.all(x => x > 0)", True),
        ("xs.all(x => x > 1)", False),
        ("[1, 'x', 0].all()", False),
        ("[].all()", True),
        ("[0, missing].all(x => x != 0 && x + 1)", False),
        ("xs.sum()", 6),
        ("rows.sum(r => r.v)", 4.5),
        ("[].sum()", 0),
        ("xs.min()", 1),
        ("xs.max()", 3),
        ("rows.min(r => r.v)", -1),
        ("rows.max(r => r.n)", "c"),
        ("[].min()", None),
        ("[].max(x => x.y)", None),
        ("['b', 'a'].min()", "a"),
        ("[1, 2.5].max()", 2.5),
        ("xs.contains(2.0)", True),
        ("xs.contains(true)", False),
        ("[[1], {a: 1}].contains({a: 1})", True),
        ("[null].contains(null)", True),
        ("xs.sort()", [1, 2, 3]),
        ("xs.sort(x => -x)", [3, 2, 1]),
        ("['b', 'B', 'a'].sort()", ["B", "a", "b"]),
        ("[2, 1.5, -3].sort()", [-3, 1.5, 2]),
        ("[].sort()", []),
        ("rows.sort(r => r.k).map(r => r.n)", ["c", "b", "a"]),
        ("xs.join('; ')", "3; 1; 2"),
        ("['a', null, true, 1.5, [1], {k: 'v'}].join('|')", 'a||true|1.5|[1]|{"k":"v"}'),
        ("[].join(', ')", ""),
        ("['x'].join(sep = ', ')", "x"),
        ("m.keys()", ["b", "a"]),
        ("m.values()", [1, None]),
        ("m.has('a')", True),
        ("m.has('c')", False),
        ("m.get('b')", 1),
        ("m.get('a', 5)", None),
        ("m.get('c')", None),
        ("m.get('c', 5)", 5),
        ("m.get('c', default = [])", []),
        ("{}.keys()", []),
    ],
)
def test_list_and_map_methods(text: str, expected: Value) -> None:
    assert repr(evaluate(parse(text), SCOPE)) == repr(expected)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[1, 'a'].sum()", "sum() needs numbers, but got a string"),
        ("[1, null].sum()", "sum() needs numbers, but got null"),
        ("[true].sum()", "sum() needs numbers, but got a bool"),
        ("[1, 'a'].sort()", "a number and a string"),
        ("[1, null].min()", "a number and null"),
        ("[null].max()", "but got null"),
        ("[true, false].sort()", "but got a bool"),
        ("[[1]].sort()", "but got a list"),
        ("rows.sort(r => r.missing)", "but got null"),
        ("xs.join()", "`sep`"),
        ("xs.join(1)", "a string as `sep`"),
        ("m.get(1)", "a string as `key`"),
        ("m.has(null)", "a string as `key`"),
    ],
)
def test_elements_that_do_not_fit_are_an_error(text: str, part: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(parse(text), SCOPE)

    assert part in caught.value.message


def test_an_error_in_a_lambda_names_the_part_inside_it() -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(parse("rows.map(r => r.missing + 1)"), SCOPE)

    assert caught.value.source == "r.missing"
