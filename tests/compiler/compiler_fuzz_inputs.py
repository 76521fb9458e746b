"""What the coverage-guided fuzzer feeds to the compiler: bytes, the first of which says what the others are."""

import json
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from compiler.compiler_hostile_checks import check_document, check_expression, check_source
from compiler.compiler_mutations import TEMPLATES, mutate

from scaiflow_api.compiler import compile_flow
from scaiflow_api.compiler.bundle.framing import HEADER
from scaiflow_api.compiler.diagnostics_page import RULES, example_document

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
DOCUMENTS: list[Any] = [json.loads(path.read_text()) for path in EXAMPLES]
BROKEN: list[Any] = [example_document(rule) for rule in RULES]
MOST_MUTATIONS = 8


class Kind(IntEnum):
    DOCUMENT = 0
    MUTATION = 1
    """Decisions of a mutator, not text."""
    MANIFEST = 2
    BUNDLE = 3
    """What follows the header."""
    EXPRESSION = 4


def check(data: bytes) -> None:
    """Hold an input against what is promised for any. Raises where a promise is broken."""
    if not data:
        return
    rest = data[1:]
    match Kind(data[0] % len(Kind)):
        case Kind.DOCUMENT:
            try:
                document = json.loads(rest)
            except (ValueError, RecursionError):
                return
            check_document(document)
        case Kind.MUTATION:
            check_document(_mutated(_Decisions(rest)))
        case Kind.MANIFEST:
            check_source(rest.decode(errors="replace"))
        case Kind.BUNDLE:
            check_source(HEADER + rest)
        case Kind.EXPRESSION:
            check_expression(rest.decode(errors="replace"))


def starts() -> Iterator[bytes]:
    """Yield sound inputs of every kind, for the fuzzer to begin with."""
    for document in [*DOCUMENTS, *BROKEN]:
        yield bytes([Kind.DOCUMENT]) + json.dumps(document).encode()
    for document in DOCUMENTS:
        yield bytes([Kind.MANIFEST]) + compile_flow(document).text.encode()
        yield bytes([Kind.BUNDLE]) + bytes(compile_flow(document, "ir").body)[len(HEADER) :]
    for text in TEMPLATES:
        yield bytes([Kind.EXPRESSION]) + text.encode()
    for number in range(60):
        yield bytes([Kind.MUTATION, *(number * step % 256 for step in range(24))])


class _Decisions:
    """Bytes as decisions: two for each, as long as there are any."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def choose(self, count: int) -> int:
        decision, self._data = self._data[:2], self._data[2:]
        return int.from_bytes(decision, "little") % count


def _mutated(decisions: _Decisions) -> object:
    given = [*DOCUMENTS, *BROKEN]
    document = json.loads(json.dumps(given[decisions.choose(len(given))]))
    for _ in range(MOST_MUTATIONS):
        if not decisions:
            break
        mutate(document, decisions.choose, DOCUMENTS)
    return document
