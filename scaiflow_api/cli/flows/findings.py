"""Showing what the compiler found, one finding a line, as editors read it."""

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from scaiflow_api.cli.flows.documents import FlowFile
from scaiflow_api.cli.terminal import BOLD, CYAN, DIM, RED, YELLOW, Paint, visible
from scaiflow_api.compiler.diagnostics import ERROR, Diagnostic
from scaiflow_api.flowgraph.limits import FlowTooLarge


def too_large(refusal: FlowTooLarge) -> Diagnostic:
    """Return what stops everything else as a finding like others."""
    return Diagnostic(ERROR, refusal.error, str(refusal), fix=refusal.detail().get("fix"))


def show(file: FlowFile, found: Sequence[Diagnostic], stream: TextIO) -> None:
    """Write `file:line: path: code severity: message (fix: …)` for each finding, and nothing for none."""
    if not found:
        return
    from scaiflow_api.cli.flows.json_positions import lines_of

    paint = Paint(stream)
    lines = lines_of(file.text, {item.path or "" for item in found})
    for item in found:
        place = f"{file.shown_name}:{lines[item.path or '']}"
        print(_line(visible(place), item, paint), file=stream)


def show_unplaced(name: str, found: Iterable[Diagnostic], stream: TextIO) -> None:
    """Write the findings about a file whose lines are not those of a flow document."""
    paint = Paint(stream)
    for item in found:
        print(_line(visible(name), item, paint), file=stream)


def _line(place: str, item: Diagnostic, paint: Paint) -> str:
    path = paint(f" {visible(item.path)}:", CYAN) if item.path else ""
    severity = paint(item.severity, RED if item.severity == ERROR else YELLOW)
    fix = paint(f" (fix: {visible(item.fix)})", DIM) if item.fix else ""
    return f"{paint(place, BOLD)}:{path} {item.code} {severity}: {visible(item.message)}{fix}"


def tell(sentence: str) -> None:
    """Say to the person, beside the output, how it went."""
    print(visible(sentence), file=sys.stderr)
