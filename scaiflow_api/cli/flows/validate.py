"""`scaiflow validate`: everything that is wrong with flows."""

import sys
from collections.abc import Sequence
from typing import Any

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.files import Malformed, print_json, shown_name
from scaiflow_api.cli.flows.findings import show, show_unplaced, tell, too_large
from scaiflow_api.compiler import validate_flow
from scaiflow_api.compiler.diagnostics import ERROR, Diagnostic
from scaiflow_api.flowgraph.limits import FlowTooLarge
from scaiflow_api.flowgraph.problems import NOT_A_FLOW


def validate_files(flows: Sequence[str], *, as_json: bool) -> int:
    """Return the exit code: 1 when there is an error, 2 when there is no file; warnings are no errors.

    A file that is no JSON has one error. That a file cannot be read is said, and the others are checked all the same.
    """
    code = 0
    results: list[dict[str, Any]] = []
    files: list[FlowFile] = []
    for flow in flows:
        file: FlowFile | Malformed
        try:
            file = read_flow(flow)
            files.append(file)
        except Malformed as fault:
            file = fault
        except CommandFailed as failure:
            tell(f"scaiflow: {failure}")
            code = max(code, failure.exit_code)
            continue
        found = [_fault(file, as_json=as_json)] if isinstance(file, Malformed) else _findings(file)
        errors = [item for item in found if item.severity == ERROR]
        warnings = [item for item in found if item.severity != ERROR]
        code = max(code, 1 if errors else 0)
        if as_json:
            name = {"file": shown_name(flow)} if len(flows) > 1 else {}
            results.append({**name, **_as_dict(errors, warnings)})
        else:
            _show(file, found)
            tell(f"{shown_name(flow)}: {_summary(len(errors), len(warnings))}")
    if as_json and results:
        print_json(results if len(flows) > 1 else results[0])
    _tell_of_same_ids(files)
    return code


def _tell_of_same_ids(files: Sequence[FlowFile]) -> None:
    """Warn of copies that kept their id, by which a deploy finds the Core that it replaces."""
    first: dict[str, FlowFile] = {}
    for file in files:
        flow_id = file.document.get("id") if isinstance(file.document, dict) else None
        if not isinstance(flow_id, str):
            continue
        other = first.setdefault(flow_id, file)
        if other.data != file.data:
            tell(
                f"{file.shown_name} has the same id as {other.shown_name}: deployed after it, it takes the place of"
                " that one"
            )


def _fault(file: Malformed, *, as_json: bool) -> Diagnostic:
    # In the text for people the place stands before each finding; in JSON a finding has none but its path.
    return Diagnostic(ERROR, NOT_A_FLOW, str(file) if as_json else file.problem)


def _findings(file: FlowFile) -> list[Diagnostic]:
    try:
        return validate_flow(file.document)
    except FlowTooLarge as refusal:
        return [too_large(refusal)]


def _show(file: FlowFile | Malformed, found: list[Diagnostic]) -> None:
    if isinstance(file, Malformed):
        show_unplaced(file.place, found, sys.stdout)
    else:
        show(file, found, sys.stdout)


def _as_dict(errors: list[Diagnostic], warnings: list[Diagnostic]) -> dict[str, Any]:
    return {
        "ok": not errors,
        "errors": [item.as_dict() for item in errors],
        "warnings": [item.as_dict() for item in warnings],
    }


def _summary(errors: int, warnings: int) -> str:
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    return ", ".join(counts if errors else ["ok", *counts])
