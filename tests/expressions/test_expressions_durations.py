import pytest

from scaiflow_api.expressions import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("2d", 172800.0),
        ("1w", 604800.0),
        ("007s", 7.0),
    ],
)
def test_a_duration_is_its_seconds(text: str, seconds: float) -> None:
    result = parse_duration(text)

    assert (result, type(result)) == (seconds, float)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "5",
        "5x",
        "5 s",
        " 5s",
        "5s\n",
        "-5s",
        "1.5h",
        "1h30m",
        "5S",
        "5min",
        "٣s",
        "9" * 19 + "w",
        "9" * 5000 + "s",
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
