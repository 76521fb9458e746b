"""The parts of `docs/flows/kinds.md` that come from the kinds; the rest of that page is written by hand."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scaiflow_api.compiler.palette import PaletteEntry, palette

PAGE = Path(__file__).parent / "flows/kinds.md"
COMMON = ("result_binding", "breakpoint", "on_error")
PART = re.compile(
    r"(?P<begin><!-- (?P<name>[a-z_]+): written by `make docs` -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
HEAD = "| key | type | default | meaning |\n|---|---|---|---|\n"

JSON = Any


def kinds_page() -> str:
    """Return the page with every generated part as the code has it now."""
    entries = {entry.kind: entry for entry in palette()}
    texts = {name: _kind(entry) for name, entry in entries.items()}
    texts["common"] = HEAD + "".join(_rows(entries["llm_rigid"].config, COMMON))
    return PART.sub(lambda part: part["begin"] + texts[part["name"]] + part["end"], PAGE.read_text("utf-8"))


def _kind(entry: PaletteEntry) -> str:
    own = [key for key in entry.config["properties"] if key not in COMMON]
    table = HEAD + "".join(_rows(entry.config, own)) if own else ""
    return f"{table}\n{_ports(entry)}\n"


def _ports(entry: PaletteEntry) -> str:
    inputs, outputs = _names(p.id for p in entry.inputs), _names(p.id for p in entry.outputs)
    facts = [f"Ports: {inputs} → {outputs}." if inputs else f"Ports: → {outputs}."]
    if entry.expressions:
        facts.append(f"Expressions: {_names(entry.expressions)}.")
    if entry.templates:
        facts.append(f"Templates: {_names(entry.templates)}.")
    return " ".join(facts)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _rows(schema: JSON, keys: Iterable[str], path: str = "", root: JSON = None) -> Iterable[str]:
    """Yield the row of each key, and below it those of the keys inside."""
    definitions = (root or schema).get("$defs", {})
    for key in keys:
        field = schema["properties"][key]
        name, many = _inside(field)
        inner = definitions.get(name, {})
        default = "required" if key in schema.get("required", ()) else _default(field.get("default"))
        meaning = (
            field.get("description", inner.get("description", "")).replace("\n", " ").replace("|", "\\|")
        )
        yield f"| `{path}{key}` | {_type(field)} | {default} | {meaning} |\n"
        yield from _rows(inner, inner.get("properties", ()), f"{path}{key}{many}.", root or schema)


def _default(value: JSON) -> str:
    return "" if value is None or value in ({}, []) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(field: JSON) -> str:
    shapes = [shape for shape in field.get("anyOf", [field]) if shape.get("type") != "null"]
    return " or ".join(_shape(shape) for shape in shapes)


def _shape(shape: JSON) -> str:
    if "enum" in shape:
        return _names(json.dumps(value) for value in shape["enum"])
    if "$ref" in shape:
        return "object"
    match shape.get("type"):
        case "array":
            items = shape.get("items", {})
            return f"list of {_type(items)}" if "enum" not in items else "list"
        case "object" if isinstance(shape.get("additionalProperties"), dict):
            return f"object of {_type(shape['additionalProperties'])}"
        case None:
            return "any"
        case name:
            return str(name)


def _inside(field: JSON) -> tuple[str | None, str]:
    """Return the definition that a key's value, or each of its items, has; none for plain values."""
    for shape in field.get("anyOf", [field]):
        if "$ref" in shape:
            return shape["$ref"].rpartition("/")[2], ""
        if "$ref" in shape.get("items", {}):
            return shape["items"]["$ref"].rpartition("/")[2], "[]"
    return None, ""
