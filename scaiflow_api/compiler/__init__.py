"""Flow document → intermediate representation → deployable text, and back. Pure: no I/O, clock or chance.

    from scaiflow_api.compiler import compile_flow, import_manifest, validate_flow

Names are loaded when they are first asked for: who only validates, as the command line does on every save, does
not wait for the formats.
"""

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaiflow_api.compiler.check import validate_flow
    from scaiflow_api.compiler.diagnostics import Diagnostic
    from scaiflow_api.compiler.importing import Imported, import_manifest
    from scaiflow_api.compiler.manifest.reader import read_manifest
    from scaiflow_api.compiler.manifest.section import ManifestError
    from scaiflow_api.compiler.pipeline import FORMATS, Compiled, CompileError, compile_flow
    from scaiflow_api.flowgraph.limits import FlowTooLarge

__all__ = [
    "FORMATS",
    "CompileError",
    "Compiled",
    "Diagnostic",
    "FlowTooLarge",
    "Imported",
    "ManifestError",
    "compile_flow",
    "import_manifest",
    "read_manifest",
    "validate_flow",
]


def __getattr__(name: str) -> Any:
    home: ModuleType
    match name:
        case "validate_flow":
            from scaiflow_api.compiler import check

            home = check
        case "Diagnostic":
            from scaiflow_api.compiler import diagnostics

            home = diagnostics
        case "Imported" | "import_manifest":
            from scaiflow_api.compiler import importing

            home = importing
        case "read_manifest":
            from scaiflow_api.compiler.manifest import reader

            home = reader
        case "ManifestError":
            from scaiflow_api.compiler.manifest import section

            home = section
        case "FORMATS" | "CompileError" | "Compiled" | "compile_flow":
            from scaiflow_api.compiler import pipeline

            home = pipeline
        case "FlowTooLarge":
            from scaiflow_api.flowgraph import limits

            home = limits
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(home, name)
    return value
