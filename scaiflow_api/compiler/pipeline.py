"""The compiler's public functions: validate, compile."""

from dataclasses import dataclass

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import Diagnostic
from scaiflow_api.compiler.emit.yaml import emit_yaml
from scaiflow_api.compiler.lower import lower
from scaiflow_api.compiler.manifest_text import MAX_BYTES
from scaiflow_api.flowgraph import DEFAULT_LIMITS, FlowTooLarge, Limits

FORMATS = ("yaml",)


class CompileError(Exception):
    """A document with errors. It carries all findings, warnings included, in the order of the document."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__("; ".join(item.message for item in diagnostics if item.severity == "error"))


@dataclass(frozen=True, slots=True)
class Compiled:
    """The artefact of a document without errors."""

    format: str
    body: str
    module: ir.Module
    diagnostics: tuple[Diagnostic, ...]
    """Warnings."""


def validate_flow(document: object, *, limits: Limits = DEFAULT_LIMITS) -> list[Diagnostic]:
    """Return all that is wrong with any JSON value, in the order of the document.

    Raises FlowTooLarge (413) alone.
    """
    return check_document(document, limits).sink.ordered()


def compile_flow(
    document: object, output_format: str = "yaml", *, limits: Limits = DEFAULT_LIMITS
) -> Compiled:
    """Compile a document.

    Raises CompileError exactly when `validate_flow` finds an error, FlowTooLarge as it does and for an artefact
    that no runtime would read, and ValueError for a format that is none of `FORMATS`.
    """
    if output_format not in FORMATS:
        raise ValueError(f"unknown output format {output_format!r}")
    checked = check_document(document, limits)
    found = tuple(checked.sink.ordered())
    if checked.sink.has_errors or checked.view is None:
        raise CompileError(found)
    module = lower(checked.view)
    body = emit_yaml(module)
    size = len(body.encode())
    if size > MAX_BYTES:
        raise FlowTooLarge(limit="manifest bytes", maximum=MAX_BYTES, actual=size)
    return Compiled(output_format, body, module, found)
