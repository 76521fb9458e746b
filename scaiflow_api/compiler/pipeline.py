"""From a document to one of the formats."""

from collections.abc import Iterable
from functools import cached_property

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.bundle.framing import write_bundle
from scaiflow_api.compiler.check import Checked, advise, check_document
from scaiflow_api.compiler.diagnostics import Diagnostic
from scaiflow_api.compiler.lowering.lower import lower
from scaiflow_api.compiler.manifest.writer import emit_yaml
from scaiflow_api.compiler.rules.expressions import Use
from scaiflow_api.compiler.scai.text import emit_scai
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits

FORMATS = ("yaml", "ir", "scai")
"""The manifest that is deployed, the SCIR bundle, and the text for people."""


class CompileError(Exception):
    """A document with errors. It carries all findings, warnings included, in the order of the document."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__("; ".join(item.message for item in diagnostics if item.severity == "error"))


class Compiled:
    """The artefact of a document without errors."""

    def __init__(self, output_format: str, body: str | bytes, module: ir.Module, checked: Checked) -> None:
        self.format = output_format
        self.body = body
        """Text; bytes for a bundle."""
        self.module = module
        self._checked = checked

    @property
    def text(self) -> str:
        """The body of a format other than the bundle."""
        assert isinstance(self.body, str), "a bundle is no text"
        return self.body

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The warnings. Looked for when they are asked for: that takes about as long as compiling."""
        return tuple(advise(self._checked))


def compile_flow(
    document: object, output_format: str = "yaml", *, limits: Limits = DEFAULT_LIMITS
) -> Compiled:
    """Compile a document to one of `FORMATS`.

    Raises CompileError exactly when `validate_flow` finds an error, FlowTooLarge as it does and for an artefact
    that no runtime would read, and ValueError for a format that is none of `FORMATS`.
    """
    if output_format not in FORMATS:
        raise ValueError(f"unknown output format {output_format!r}")
    checked = check_document(document, limits)
    sound = checked.sound
    if checked.sink.has_errors or sound is None or sound.regions is None:
        raise CompileError(tuple(advise(checked)))
    module = lower(sound.view, sound.regions)
    return Compiled(output_format, _emit(module, output_format, sound.uses), module, checked)


def _emit(module: ir.Module, output_format: str, uses: Iterable[Use]) -> str | bytes:
    match output_format:
        case "ir":
            return write_bundle(module)
        case "scai":
            return emit_scai(module, {read.source for use in uses for read in use.expressions})
        case _:
            return emit_yaml(module)
