"""Type strings: read, checked, described."""

from typing import Any

import pytest

from scaiflow_api.compiler.analysis.types import Type, TypeSyntaxError, parse_type
from scaiflow_api.localgrid.runtime.types import (
    TypeMismatch,
    coerce,
    coerce_fields,
    is_closed,
    json_schema,
)

STRING = Type("string")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", STRING),
        (" int? ", Type("int", optional=True)),
        (
            "enum[question, needs more info, grün]",
            Type("enum", choices=("question", "needs more info", "grün")),
        ),
        ("map<string, string>", Type("map", (STRING, STRING))),
        ("map[string, array[int?]]", Type("map", (STRING, Type("array", (Type("int", optional=True),))))),
        ("Invoice", Type("Invoice")),
        ("string | null", Type("string", optional=True)),
        ("null | Invoice", Type("Invoice", optional=True)),
        ("array<string | null> | null", Type("array", (Type("string", optional=True),), optional=True)),
        ('"yes" | "no or never" | null', Type("enum", choices=("yes", "no or never"), optional=True)),
        ("enum[a] | null", Type("enum", choices=("a",), optional=True)),
    ],
)
def test_types_are_read(text: str, expected: Type) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "array<",
        "array<>",
        "array<int]",
        "array<int>>",
        "enum[a,]",
        "two words",
        "int | string",
        "|",
        "a |",
        "null | null",
        "[a]",
        "a" * 5000,
    ],
)
def test_unreadable_types_are_refused(text: str) -> None:
    with pytest.raises(TypeSyntaxError):
        parse_type(text)


def test_deep_types_are_refused() -> None:
    with pytest.raises(TypeSyntaxError, match="too deeply"):
        parse_type("array<" * 40 + "int" + ">" * 40)


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("string", "x", "x"),
        ("string", 3, "3"),
        ("string", True, "true"),
        ("int", 3, 3),
        ("int", 3.0, 3),
        ("int", " -12 ", -12),
        ("float", 3, 3),
        ("float", "2.5e1", 25.0),
        ("money", "2.5", 2.5),
        ("bool", "True", True),
        ("enum[Yes, no]", "yes ", "Yes"),
        ("enum", "anything", "anything"),
        ("array", [1, "a"], [1, "a"]),
        ("array<int>", ["1", 2.0], [1, 2]),
        ("map<string, int>", {"a": "1"}, {"a": 1}),
        ("object", {"a": [1]}, {"a": [1]}),
        ("Invoice", {"any": "thing"}, {"any": "thing"}),
        ("string?", None, None),
        ("date", "2026-01-01", "2026-01-01"),
    ],
)
def test_values_become_their_type(type_: str, value: Any, expected: Any) -> None:
    result = coerce(value, parse_type(type_))

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("type_", "value", "path"),
    [
        ("string", ["x"], ""),
        ("string", None, ""),
        ("int", 2.5, ""),
        ("int", True, ""),
        ("int", "12 apples", ""),
        ("int", 1e300, ""),
        ("float", "nan", ""),
        ("bool", 1, ""),
        ("enum[a, b]", "c", ""),
        ("enum[a, b]", 1, ""),
        ("array", {}, ""),
        ("array<array<int>>", [[1], ["x"]], "[1][0]"),
        ("map<string, int>", {"a": None}, ".a"),
        ("object", [], ""),
    ],
)
def test_other_values_are_refused_with_their_place(type_: str, value: Any, path: str) -> None:
    with pytest.raises(TypeMismatch) as refused:
        coerce(value, parse_type(type_))

    assert refused.value.path == path


def test_objects_have_exactly_the_declared_fields() -> None:
    fields = {"a": parse_type("int"), "b": parse_type("string?")}

    assert coerce_fields({"a": "1", "c": 3}, fields) == {"a": 1, "b": None}
    with pytest.raises(TypeMismatch, match=r"\.a"):
        coerce_fields({"b": "x"}, fields)
    with pytest.raises(TypeMismatch, match="no object"):
        coerce_fields("text", fields)


def test_types_are_described_as_json_schema() -> None:
    fields = {
        name: parse_type(text)
        for name, text in {
            "text": "string",
            "kind": "enum[a, b]?",
            "tags": "array<string>",
            "entities": "map<string, float>",
            "when": "date",
            "any": "Invoice",
        }.items()
    }

    assert json_schema(fields) == {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "entities": {"type": "object", "additionalProperties": {"type": "number"}},
            "when": {"type": "string", "format": "date"},
            "any": {},
        },
        "required": ["text", "kind", "tags", "entities", "when", "any"],
        "additionalProperties": False,
    }
    assert [name for name, type_ in fields.items() if is_closed(type_)] == ["text", "kind", "tags", "when"]
