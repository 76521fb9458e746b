"""`scaiflow fmt`: flow files in their one readable form."""

from collections.abc import Sequence

from scaiflow_api.cli.failure import CommandFailed, Unusable
from scaiflow_api.cli.flows.documents import read_flow
from scaiflow_api.cli.flows.files import STANDARD, write_output
from scaiflow_api.cli.flows.findings import tell
from scaiflow_api.cli.terminal import visible
from scaiflow_api.compiler.readable import readable_json


def format_files(flows: Sequence[str], *, check: bool) -> int:
    """Rewrite each file that is not in its readable form, or only name those: then return 1 if there is one.

    What cannot be read is said, and the others are done all the same. Standard input goes to standard output.
    """
    code = 0
    for flow in flows:
        try:
            changed = _format(flow, check=check)
        except CommandFailed as failure:
            tell(f"scaiflow: {failure}")
            code = max(code, failure.exit_code)
            continue
        if check and changed:
            print(visible(flow))
            code = max(code, 1)
    return code


def _format(flow: str, *, check: bool) -> bool:
    """Return whether the file was not in its readable form."""
    file = read_flow(flow)
    try:
        text = readable_json(file.document)
    except ValueError as error:
        raise Unusable(f"{file.shown_name}: {error}") from None
    changed = text != file.data
    if not check and (changed or flow == STANDARD):
        write_output(flow, text)
        if flow != STANDARD:
            tell(f"rewrote {flow}")
    return changed
