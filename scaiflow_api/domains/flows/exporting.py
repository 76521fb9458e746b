"""A flow as a file: its document, or what the compiler makes of it."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from scaiflow_api.compiler import CompileError, compile_flow
from scaiflow_api.compiler.readable import readable_json
from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.domains.flows.errors import DoesNotCompile
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.metrics import COMPILES, timed

ExportFormat: TypeAlias = Literal["json", "yaml", "ir", "scai"]

MEDIA_TYPES: dict[ExportFormat, str] = {
    "json": "application/json",
    "yaml": "application/yaml",
    "ir": "application/octet-stream",
    "scai": "text/plain",
}
_SUFFIXES: dict[ExportFormat, str] = {"json": ".flow.json", "yaml": ".yaml", "ir": ".scir", "scai": ".scai"}


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file to save; the name is ASCII."""

    name: str
    media_type: str
    body: bytes


def export_document(document: dict[str, Any], wanted: ExportFormat, limits: Limits) -> ExportedFile:
    """Return a stored document as a file, named for the flow.

    Raises DoesNotCompile for a format that needs a document without errors, and FlowTooLarge.
    """
    name = (slugify(document["name"]) or document["id"]) + _SUFFIXES[wanted]
    body = readable_json(document) if wanted == "json" else _compiled(document, wanted, limits)
    return ExportedFile(name, MEDIA_TYPES[wanted], body)


def _compiled(document: dict[str, Any], wanted: ExportFormat, limits: Limits) -> bytes:
    try:
        with timed(COMPILES, format=wanted):
            body = compile_flow(document, wanted, limits=limits).body
    except CompileError as error:
        raise DoesNotCompile(diagnostics=[item.as_dict() for item in error.diagnostics]) from error
    return body if isinstance(body, bytes) else body.encode()
