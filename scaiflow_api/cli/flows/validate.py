"""`scaiflow validate`: everything that is wrong with a flow."""

import sys

from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.files import print_json
from scaiflow_api.cli.flows.findings import show, tell, too_large
from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import ERROR, Diagnostic
from scaiflow_api.flowgraph.limits import DEFAULT_LIMITS, FlowTooLarge


def validate(flow: str, *, as_json: bool) -> int:
    """Return the exit code: 1 when there is an error; warnings are no errors."""
    file = read_flow(flow)
    found = _findings(file)
    errors = [item for item in found if item.severity == ERROR]
    warnings = [item for item in found if item.severity != ERROR]
    if as_json:
        print_json(
            {
                "ok": not errors,
                "errors": [item.as_dict() for item in errors],
                "warnings": [item.as_dict() for item in warnings],
            }
        )
    else:
        show(file, found, sys.stdout)
        tell(f"{file.shown_name}: {_summary(len(errors), len(warnings))}")
    return 1 if errors else 0


def _findings(file: FlowFile) -> list[Diagnostic]:
    try:
        return check_document(file.document, DEFAULT_LIMITS).sink.ordered()
    except FlowTooLarge as refusal:
        return [too_large(refusal)]


def _summary(errors: int, warnings: int) -> str:
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    return ", ".join(counts if errors else ["ok", *counts])
