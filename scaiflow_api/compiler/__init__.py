"""Flow document → intermediate representation → deployable text, and back. Pure: no I/O, clock or chance."""

from scaiflow_api.compiler.diagnostics import Diagnostic
from scaiflow_api.compiler.manifest import read_manifest
from scaiflow_api.compiler.pipeline import FORMATS, Compiled, CompileError, compile_flow, validate_flow
from scaiflow_api.compiler.section import ManifestError

__all__ = [
    "FORMATS",
    "CompileError",
    "Compiled",
    "Diagnostic",
    "ManifestError",
    "compile_flow",
    "read_manifest",
    "validate_flow",
]
