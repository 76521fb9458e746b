"""`scaiflow compile`: compiles a flow file to a manifest, a bundle or readable text."""

import sys

from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.files import STANDARD, refuse_sources, write_output
from scaiflow_api.cli.flows.findings import show, tell, too_large
from scaiflow_api.cli.terminal import visible
from scaiflow_api.compiler import CompileError, compile_flow, ir
from scaiflow_api.flowgraph.limits import FlowTooLarge

EXTENSIONS = {"yaml": ".yaml", "ir": ".scir", "scai": ".scai"}
"""Format → the end of the default name."""
FLOW_ENDINGS = (".flow.json", ".json")


def compile_file(flow: str, output_format: str, out: str | None, *, verify: bool) -> int:
    """Write the artefact. Return 1, having said why, for a flow with errors."""
    target = out or _default_target(flow, output_format)
    refuse_sources(target, flow)
    file = read_flow(flow)
    try:
        compiled = compile_flow(file.document, output_format)
    except CompileError as failure:
        show(file, failure.diagnostics, sys.stderr)
        return 1
    except FlowTooLarge as refusal:
        show(file, [too_large(refusal)], sys.stderr)
        return 1
    show(file, compiled.diagnostics, sys.stderr)
    if output_format == "ir" and verify and not _is_sound(file, compiled.module):
        return 1
    body = compiled.body if isinstance(compiled.body, bytes) else compiled.body.encode()
    write_output(target, body)
    if target != STANDARD:
        tell(f"wrote {target}")
    return 0


def _default_target(flow: str, output_format: str) -> str:
    if flow == STANDARD:
        return STANDARD
    ending = next((ending for ending in FLOW_ENDINGS if flow.endswith(ending)), "")
    return flow.removesuffix(ending) + EXTENSIONS[output_format]


def _is_sound(file: FlowFile, module: ir.Module) -> bool:
    from scaiflow_api.compiler.verifier import verify

    violations = verify(module)
    for found in violations:
        sentence = f"{file.shown_name}: {found.code} error: {found.message} ({found.path})"
        print(visible(sentence), file=sys.stderr)
    return not violations
