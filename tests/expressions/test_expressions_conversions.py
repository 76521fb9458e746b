import pytest

from scaiflow_api.expressions import EvaluationError, Value, evaluate, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a'.to_string()", "a"),
        ("1.to_string()", "1"),
        ("1.50.to_string()", "1.5"),
        ("(6 / 2).to_string()", "3.0"),
        ("true.to_string()", "true"),
        ("null.to_string()", ""),
        ("[1, 'a'].to_string()", '[1,"a"]'),
        ("{a: null}.to_string()", '{"a":null}'),
        ("'a\"é'.to_json()", '"a\\"é"'),
        ("null.to_json()", "null"),
        ("{b: [1, 2.5], a: false}.to_json()", '{"b":[1,2.5],"a":false}'),
        ("5.to_int()", 5),
        ("2.9.to_int()", 2),
        ("(-2.9).to_int()", -2),
        ("'42'.to_int()", 42),
        ("' -42 '.to_int()", -42),
        ("'+7'.to_int()", 7),
        ("'9223372036854775807'.to_int()", 2**63 - 1),
        ("5.to_float()", 5.0),
        ("'2.5'.to_float()", 2.5),
        ("'-1e3'.to_float()", -1000.0),
        ("' 7 '.to_float()", 7.0),
    ],
)
def test_conversions(text: str, expected: Value) -> None:
    assert repr(evaluate(parse(text), {})) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [
        "'abc'.to_int()",
        "''.to_int()",
        "'1.5'.to_int()",
        "'1_000'.to_int()",
        "'٣'.to_int()",
        "'9223372036854775808'.to_int()",
        "'1'.repeat(5000).to_int()",
        "1e300.to_int()",
        "true.to_int()",
        "null.to_int()",
        "[1].to_int()",
        "'inf'.to_float()",
        "'nan'.to_float()",
        "'1e400'.to_float()",
        "'0x10'.to_float()",
        "'1'.repeat(1000).to_float()",
        "false.to_float()",
        "null.to_float()",
        "{}.to_float()",
    ],
)
def test_what_is_no_number_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError, match=r"to_(int|float)\(\)"):
        evaluate(parse(text), {})
