"""What may become a flow: a manifest, a bundle or a document, read from the text that it was sent as."""

from base64 import b64decode
from typing import Any, TypeAlias

import orjson

from scaiflow_api.compiler import Diagnostic, ManifestError, import_manifest
from scaiflow_api.compiler.bundle.framing import MAGIC
from scaiflow_api.domains.flows.checking import checked
from scaiflow_api.domains.flows.errors import InvalidManifest
from scaiflow_api.domains.flows.schemas import FlowImport
from scaiflow_api.flowgraph import Limits

Document: TypeAlias = dict[str, Any]


def read_import(wanted: FlowImport, limits: Limits) -> tuple[Document, tuple[Diagnostic, ...]]:
    """Return the document, under the name that was asked for, and what was found while reading it.

    A document that is not going to be saved is checked here as saving would check it.
    Raises InvalidManifest, InvalidFlow and FlowTooLarge.
    """
    document, found = _read(wanted, limits)
    if wanted.name is not None:
        document = {**document, "name": wanted.name}
    if not wanted.save:
        checked(document, limits)
    return document, found


def _read(wanted: FlowImport, limits: Limits) -> tuple[Document, tuple[Diagnostic, ...]]:
    if wanted.format == "json":
        return _json_object(wanted.content), ()
    source = _bundle(wanted.content) if wanted.format == "ir" else wanted.content
    try:
        imported = import_manifest(source, limits=limits)
    except ManifestError as error:
        raise InvalidManifest(message=error.message) from error
    return imported.document, imported.diagnostics


def _bundle(content: str) -> bytes:
    try:
        data = b64decode("".join(content.split()), validate=True)
    except ValueError as error:
        raise InvalidManifest(message="The content of a bundle must be Base64.") from error
    if not data.startswith(MAGIC):  # it would be read as a manifest
        raise InvalidManifest(message="The content is no SCIR bundle.")
    return data


def _json_object(content: str) -> Document:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidManifest(message=f"The content is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise InvalidManifest(message="The content must be a JSON object.")
    return document
