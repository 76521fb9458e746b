"""`scaiflow diff`: what is different between two flows, and whether those who call it could break."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.files import STANDARD, print_json
from scaiflow_api.cli.flows.sound import read_sound
from scaiflow_api.cli.terminal import BOLD, GREEN, RED, YELLOW, Paint, visible
from scaiflow_api.compiler.interface.compare import Verdict
from scaiflow_api.compiler.interface.comparison import Comparison
from scaiflow_api.flowgraph.changes import Change
from scaiflow_api.flowgraph.diff import FlowDiff, ListDiff, PartDiff

LONGEST_VALUE = 100


def diff_files(old: str, new: str, *, as_json: bool, exit_code: bool) -> int:
    """Show the difference. Return 0, but 1 with `exit_code` when there is one of any sort."""
    if old == new == STANDARD:
        raise Unusable("only one of the two flows can come from standard input")
    before, after = read_sound(old), read_sound(new)
    found = Comparison.of(before.document, after.document)
    if as_json:
        print_json(found.as_dict())
    else:
        for line in _lines(found.diff, found.verdict, Paint(sys.stdout)):
            print(line)
    return 1 if exit_code and found.diff else 0


def _lines(found: FlowDiff, verdict: Verdict, paint: Paint) -> Iterator[str]:
    if not found:
        yield "no difference"
        return
    for title, part in (("behaviour", found.behaviour), ("layout", found.layout)):
        yield from _section(title, list(_part(part, paint)), paint)
        if part is found.behaviour:
            yield from _section("tests", list(_list("test", found.tests, paint)), paint)
    if not found.behaviour:
        yield "behaviour: no difference"
    if verdict.breaking:
        yield from _section(
            "callers could break", [f"  {visible(reason)}" for reason in verdict.reasons], paint
        )
    else:
        yield "callers: nothing that they rely on changes"


def _section(title: str, lines: list[str], paint: Paint) -> list[str]:
    return [paint(title, BOLD), *lines] if lines else []


def _part(part: PartDiff, paint: Paint) -> Iterator[str]:
    yield from _list("node", part.nodes, paint)
    yield from _list("edge", part.edges, paint)
    yield from _list("variable", part.variables, paint)
    yield from _changes(part.document, "  ", paint)


def _list(word: str, found: ListDiff, paint: Paint) -> Iterator[str]:
    for item in found.added:
        yield paint(f"  + {word} {_described(item)}", GREEN)
    for item in found.removed:
        yield paint(f"  - {word} {_described(item)}", RED)
    for changed in found.changed:
        yield paint(f"  ~ {word} {visible(changed.name)}", YELLOW)
        yield from _changes(changed.changes, "      ", paint)
    if found.reordered:
        yield paint(f"  ~ the order of the {word}s", YELLOW)


def _described(item: Any) -> str:
    name = visible(item.get("id") or item["name"])
    details = [item.get(key) for key in ("type", "label")]
    if "source" in item and "target" in item:
        details.append(f"{item['source']['node']} -> {item['target']['node']}")
    return " ".join([name, *(visible(str(detail)) for detail in details if detail)])


def _changes(changes: tuple[Change, ...], indent: str, paint: Paint) -> Iterator[str]:
    for change in changes:
        path = visible(change.path)
        match change.kind:
            case "added":
                yield f"{indent}{path}: {paint('+ ' + _value(change.new), GREEN)}"
            case "removed":
                yield f"{indent}{path}: {paint('- ' + _value(change.old), RED)}"
            case _:
                old, new = paint(_value(change.old), RED), paint(_value(change.new), GREEN)
                yield f"{indent}{path}: {old} -> {new}"


def _value(value: Any) -> str:
    text = visible(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
