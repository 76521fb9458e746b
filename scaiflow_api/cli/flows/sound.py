"""Reading a flow file that has the shape of a flow, whatever else may be wrong with it."""

import sys

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.findings import show, too_large
from scaiflow_api.compiler.rules.shape import diagnostic
from scaiflow_api.flowgraph import FlowTooLarge, parse_document


def read_sound(flow: str) -> FlowFile:
    """Read a file. Raises Unusable, having shown why, for a document that has not the shape of a flow."""
    file = read_flow(flow)
    try:
        found = parse_document(file.document)
    except FlowTooLarge as refusal:
        problems = [too_large(refusal)]
    else:
        if not isinstance(found, list):
            return file
        problems = [diagnostic(problem) for problem in found]
    show(file, problems, sys.stderr)
    raise Unusable(f"{file.shown_name} is no flow document")
