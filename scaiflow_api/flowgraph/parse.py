"""From any JSON value to a flow document, or to all that keeps it from being one."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from scaiflow_api.flowgraph.config import ROLE_PATTERN
from scaiflow_api.flowgraph.limits import DEFAULT_LIMITS, FlowTooLarge, Limits
from scaiflow_api.flowgraph.models import (
    ID_PATTERN,
    NODE_KINDS,
    SEMVER_PATTERN,
    VARIABLE_PATTERN,
    Edge,
    FlowGraph,
    Node,
)
from scaiflow_api.flowgraph.problems import (
    MISSING,
    NOT_A_FLOW,
    UNKNOWN_KIND,
    WRONG_TYPE,
    WRONG_VALUE,
    Problem,
    join_path,
)
from scaiflow_api.flowgraph.scan import MAX_PROBLEMS, scan
from scaiflow_api.flowgraph.unique import find_duplicates
from scaiflow_api.kit.canonical_json import copy_of, exact_text, normalized

NUL = b"\\u0000"
"""As it stands in JSON; it may also be a backslash and what follows, so it only tells where to look closer."""
MAX_ENTRIES = 100_000
"""Each may be wrong in itself, and each fault takes half a kilobyte before it is a sentence."""
MAX_CONTAINERS = 300_000
"""Lists and objects. An empty one takes three bytes in the document and 400 in memory while it is written as YAML."""
PARTS: Mapping[str, TypeAdapter[Any]] = {
    "nodes": TypeAdapter(list[Node], config=ConfigDict(defer_build=True)),
    "edges": TypeAdapter(list[Edge], config=ConfigDict(defer_build=True)),
}
AT_ONCE = 100
"""So many models of nodes and edges are made before they go."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
PATTERNS = {
    ID_PATTERN: "must have 1 to 128 letters, digits, dashes or underscores",
    SEMVER_PATTERN: "must be a semantic version such as 1.0.0",
    ROLE_PATTERN: "must begin with a small letter and have only small letters, digits and underscores",
    VARIABLE_PATTERN: "must begin with a small letter or underscore and have only letters, digits, underscores",
}
CHOICE = re.compile("'([^']+)'")
"""One of the values in the list that pydantic gives as what it expected."""
EXPECTED = {
    "string_type": "must be text",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
}


OWNER = re.compile(r"(nodes|edges)\[([0-9]{1,9})\]")
ID = re.compile(ID_PATTERN)


class FlowDocument(Struct, frozen=True):
    """A document that has the shape of a flow."""

    graph: FlowGraph
    """Without nodes and edges: their models, of which nobody has need, take more memory than all else."""
    value: dict[str, Any]
    """Its canonical form: keys sorted, integral floats as integers."""
    text: bytes
    """The same as bytes: what is stored."""


def parse_document(document: object, *, limits: Limits = DEFAULT_LIMITS) -> FlowDocument | list[Problem]:
    """Return the flow, or every fault that keeps the document from being one.

    Takes any JSON value. Raises FlowTooLarge (413) alone.
    """
    found = _parse(document, limits)
    if isinstance(found, list) and isinstance(document, dict):
        return [_with_owner(problem, document) for problem in found]
    return found


def _parse(document: object, limits: Limits) -> FlowDocument | list[Problem]:
    if not isinstance(document, dict):
        return [Problem("", "the document is not a JSON object", NOT_A_FLOW)]
    check_counts(document, limits)
    check_entries(document)
    exact = exact_text(document, max_depth=limits.max_nesting)
    if exact is not None:
        _check_bytes(exact, limits)
    known = None if exact is None else copy_of(document, exact)
    if known is None or NUL in known[1]:
        found = scan(document, limits)
        if found:
            # Values that no JSON reader agrees on: nothing below can be told from them with certainty.
            return found
    plain, text = known or _canonical(document)
    _check_bytes(text, limits)
    check_containers(text)
    duplicates = list(find_duplicates(plain))
    try:
        graph = _read(plain)
    except ValidationError as error:
        return [*_translate(error), *duplicates][:MAX_PROBLEMS]
    return duplicates[:MAX_PROBLEMS] or FlowDocument(graph, plain, text)


def _with_owner(problem: Problem, document: dict[str, Any]) -> Problem:
    """Return a fault with the id of the node or edge that it is in, if that has one."""
    within = OWNER.match(problem.path)
    if within is None:
        return problem
    parts, place = document.get(within[1]), int(within[2])
    owner = parts[place] if isinstance(parts, list) and place < len(parts) else None
    owner_id = owner.get("id") if isinstance(owner, dict) else None
    if not isinstance(owner_id, str) or ID.fullmatch(owner_id) is None:
        return problem
    return replace(problem, **{"node_id" if within[1] == "nodes" else "edge_id": owner_id})


def parse_again(
    document: dict[str, Any], before: Mapping[str, Any], *, limits: Limits = DEFAULT_LIMITS
) -> FlowDocument | list[Problem]:
    """Return what `parse_document` does for a document that was made from one that is sound.

    `before` is the `value` of that one. Its nodes and edges that are still there, as the same objects, are not
    looked at again.
    """
    check_counts(document, limits)
    known = {key: {id(part) for part in before.get(key, ())} for key in PARTS if key in document}
    new = {key: [part for part in document[key] if id(part) not in known[key]] for key in known}
    found = parse_document(document | new, limits=limits)
    if isinstance(found, list):
        return parse_document(document, limits=limits)
    value = dict(found.value)
    for key, ids in known.items():
        looked_at = iter(value[key])
        value[key] = [part if id(part) in ids else next(looked_at) for part in document[key]]
    text = orjson.dumps(value)
    _check_bytes(text, limits)
    check_entries(value)
    check_containers(text)
    duplicates = list(find_duplicates(value))
    return duplicates[:MAX_PROBLEMS] or FlowDocument(found.graph, value, text)


def _read(plain: dict[str, Any]) -> FlowGraph:
    """Return the model of a flow but for its nodes and edges, which are looked at all the same.

    Raises ValidationError, as if all were read at once.
    """
    lists = {key: plain[key] for key in PARTS if isinstance(plain.get(key), list)}
    try:
        graph = FlowGraph.model_validate(plain | {key: [] for key in lists})
        for key, parts in lists.items():
            for start in range(0, len(parts), AT_ONCE):
                PARTS[key].validate_python(parts[start : start + AT_ONCE])
    except ValidationError:
        return FlowGraph.model_validate(plain)
    return graph


def _canonical(document: dict[str, Any]) -> tuple[Any, bytes]:
    plain = normalized(document)
    return plain, orjson.dumps(plain)


def _check_bytes(text: bytes, limits: Limits) -> None:
    if len(text) > limits.max_bytes:
        raise FlowTooLarge(limit="bytes", maximum=limits.max_bytes, actual=len(text))


def check_counts(document: dict[str, object], limits: Limits) -> None:
    """Raise FlowTooLarge for a document with more nodes or edges than are looked at."""
    for key, maximum in (("nodes", limits.max_nodes), ("edges", limits.max_edges)):
        items = document.get(key)
        if isinstance(items, list) and len(items) > maximum:
            raise FlowTooLarge(limit=key, maximum=maximum, actual=len(items))


def check_entries(document: dict[str, object]) -> None:
    """Raise FlowTooLarge for a document with more parts beside nodes and edges than are looked at."""
    entries = sum(map(len, _lists(document)))
    if entries > MAX_ENTRIES:
        raise FlowTooLarge(
            limit="ports, variables, fixtures, models and queues", maximum=MAX_ENTRIES, actual=entries
        )


def check_containers(text: bytes) -> None:
    """Raise FlowTooLarge for the JSON of a document with more lists and objects than are looked at."""
    if _brackets(text) > MAX_CONTAINERS:
        containers = _brackets(_STRING.sub(b"", text))
        if containers > MAX_CONTAINERS:
            raise FlowTooLarge(limit="lists and objects", maximum=MAX_CONTAINERS, actual=containers)


def _brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _lists(document: dict[str, object]) -> Iterator[list[object]]:
    """Yield the lists of typed entries beside nodes and edges, whatever they hold."""
    config = document.get("config")
    parts: list[tuple[object, tuple[str, ...]]] = [(document, ("variables", "tests"))]
    if isinstance(config, dict):
        parts.append((config, ("plugins", "capabilities")))
        parts += [(config.get("core_identity"), ("models",)), (config.get("scaiqueue"), ("queues",))]
    nodes = document.get("nodes")
    parts += [(node, ("inputs", "outputs")) for node in (nodes if isinstance(nodes, list) else ())]
    for part, keys in parts:
        for key in keys if isinstance(part, dict) else ():
            items = part.get(key) if isinstance(part, dict) else None
            if isinstance(items, list):
                yield items


def _translate(error: ValidationError) -> list[Problem]:
    if error.error_count() > MAX_PROBLEMS * 10:
        # Writing them all out would take a hundred times the document's memory.
        return [Problem("", f"the document has {error.error_count()} faults", WRONG_VALUE)]
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails) -> Problem:
    location: tuple[str | int, ...] = detail["loc"]
    path, name = join_path(*location), _name(location)
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return Problem(path, f"{name} is required", MISSING)
    if kind == "literal_error" and location[0] == "nodes" and name == "type":
        return Problem(path, f"unknown node kind {_quote(given)}", UNKNOWN_KIND, _nearest(given, NODE_KINDS))
    if kind in EXPECTED:
        return Problem(path, f"{name} {EXPECTED[kind]}", WRONG_TYPE)
    if kind in ("string_too_short", "too_short"):
        return Problem(path, f"{name} must not be empty", WRONG_VALUE)
    fix = _nearest(given, CHOICE.findall(context["expected"])) if kind == "literal_error" else None
    return Problem(path, f"{name} {_requirement(kind, context)}, not {_quote(given)}", WRONG_VALUE, fix)


def _name(location: tuple[str | int, ...]) -> str:
    last = location[-1] if location else "the document"
    return last if isinstance(last, str) else "this entry"


def _requirement(kind: str, context: dict[str, Any]) -> str:
    match kind:
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "string_pattern_mismatch":
            return PATTERNS[context["pattern"]]
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case _:
            return f"is not valid ({kind})"


def _quote(value: object) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"


def _nearest(given: object, choices: Sequence[str]) -> str | None:
    near = get_close_matches(given.lower(), choices, n=1) if isinstance(given, str) else []
    return f"did you mean '{near[0]}'?" if near else None
