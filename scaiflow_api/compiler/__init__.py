"""Flow document → intermediate representation → deployable text, and back. Pure: no I/O, clock or chance."""

from scaiflow_api.compiler.diagnostics import Diagnostic
from scaiflow_api.compiler.importing import Imported, import_manifest
from scaiflow_api.compiler.manifest import read_manifest
from scaiflow_api.compiler.pipeline import FORMATS, Compiled, CompileError, compile_flow, validate_flow
from scaiflow_api.compiler.section import ManifestError

__all__ = [
    "FORMATS",
    "CompileError",
    "Compiled",
    "Diagnostic",
    "Imported",
    "ManifestError",
    "compile_flow",
    "import_manifest",
    "read_manifest",
    "validate_flow",
]
