"""Which type strings accept all that others do."""

from scaiflow_api.compiler.analysis.types import Type, TypeSyntaxError, parse_type

SUBTYPES = {
    "float": ("int",),
    "string": ("enum", "date", "datetime", "email", "url", "uuid", "duration"),
}
"""Type → the types all of whose values are also its own."""


def is_optional(kind: str) -> bool:
    return kind.rstrip().endswith("?")


def is_subtype(narrow: str, wide: str) -> bool:
    """Return whether every value of the first type surely is one of the second."""
    try:
        return _contains(parse_type(wide), parse_type(narrow))
    except TypeSyntaxError:
        return narrow == wide


def _contains(wide: Type, narrow: Type) -> bool:
    if wide.name == "any":
        return True
    if narrow.optional and not wide.optional:
        return False
    if wide.name != narrow.name:
        return narrow.name in SUBTYPES.get(wide.name, ())
    if wide.choices or narrow.choices:
        return set(narrow.choices) <= set(wide.choices)
    if not wide.arguments:
        return True
    return len(wide.arguments) == len(narrow.arguments) and all(
        map(_contains, wide.arguments, narrow.arguments)
    )
