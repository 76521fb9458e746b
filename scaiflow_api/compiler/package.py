"""The `.scaipkg`: a flow with its manifest, to hand on or to publish in a catalog.

A zip of `flow.json` (canonical), `manifest.yaml`, `package.json` and, where there is one, `README.md`. The same
input gives the same bytes on every machine: names in that order, one fixed date, no compression, because what
compression makes differs between builds of its library. `package.json` names the SHA-256 of every other file.
`package_reader` reads it again.
"""

import hashlib
import re
from io import BytesIO
from typing import Any, TypeAlias
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import orjson
from msgspec import Struct

from scaiflow_api.compiler.pipeline import compile_flow
from scaiflow_api.compiler.rules.policy import LITERAL_AUTHORIZATION, find_literal_secrets
from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits
from scaiflow_api.flowgraph.models import SEMVER_PATTERN
from scaiflow_api.flowgraph.scan import BAD_CHARACTERS, is_bad_text
from scaiflow_api.kit.canonical_json import canonical_json

JSON: TypeAlias = Any

FORMAT_VERSION = 1
FIRST_VERSION = "0.1.0"
PACKAGE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_PACKAGE_ID = 64
FLOW, MANIFEST, DESCRIPTION, README = "flow.json", "manifest.yaml", "package.json", "README.md"
MAX_README_BYTES = 1024 * 1024
MAX_DESCRIPTION_BYTES = 64 * 1024
MANIFEST_FACTOR = 8
"""A manifest may be so many times as large as the largest flow: it is for people to read, with white space."""
_SEMVER = re.compile(SEMVER_PATTERN, re.ASCII)
_AUTHORIZATION = LITERAL_AUTHORIZATION.code
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""
_UNIX, _READABLE_FILE = 3, 0o100644 << 16


class PackageRefused(Exception):
    """Why a flow cannot be packaged, or a package not be read: one sentence."""

    def __init__(self, message: str, secrets: tuple[tuple[str, str | None], ...] = ()) -> None:
        super().__init__(message)
        self.secrets = secrets
        """Where the flow holds literal secrets: the path, and the node it is part of, if any."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The places in the document that the sentence is about."""
        return tuple(path for path, _ in self.secrets)


class PackageInfo(Struct, frozen=True, kw_only=True):
    """How a package is known."""

    package_id: str
    name: str
    version: str = FIRST_VERSION
    description: str = ""


def package_id_of(name: str) -> str:
    """Return the package id that a flow's name suggests; empty where the name has no Latin letter or digit."""
    return slugify(name)[:MAX_PACKAGE_ID].strip("-")


def build_package(
    document: object, info: PackageInfo, *, readme: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """Return the bytes of the package of a flow document.

    Raises PackageRefused for a bad id, version or README and for a document that holds literal secrets; CompileError
    and FlowTooLarge as `compile_flow` does.
    """
    compiled = compile_flow(document, limits=limits)
    assert isinstance(compiled.body, str), "a manifest is text"
    check_texts(info, readme)
    written_out = [
        (item.path or "", item.node_id) for item in compiled.diagnostics if item.code == _AUTHORIZATION
    ]
    secrets = tuple(dict.fromkeys([*find_literal_secrets(document), *written_out]))
    if secrets:
        raise PackageRefused(
            "the flow holds literal secrets, which everybody who installs the package would read; keep them in the "
            "vault and name them by their paths",
            secrets,
        )
    files = {FLOW: canonical_json(document), MANIFEST: compiled.body.encode()}
    if readme is not None:
        files[README] = readme.encode()
    files[DESCRIPTION] = _description(info, compiled.module.metadata.scaicore_target, files)
    for name, maximum in file_bounds(limits).items():
        check_size(name, len(files.get(name, b"")), maximum)
    return _zip(files)


def check_texts(info: PackageInfo, readme: str | None) -> None:
    """Raise PackageRefused for what no package may be called or say."""
    if len(info.package_id) > MAX_PACKAGE_ID or PACKAGE_ID.fullmatch(info.package_id) is None:
        raise PackageRefused(
            f"a package id has 1 to {MAX_PACKAGE_ID} small letters and digits, in words joined by single dashes"
        )
    if _SEMVER.fullmatch(info.version) is None:
        raise PackageRefused("the version of a package is a semantic version such as 0.1.0")
    if not info.name.strip():
        raise PackageRefused("a package needs a name")
    if any(is_bad_text(text) for text in (info.name, info.description, readme or "")):
        raise PackageRefused(f"a text of the package has {BAD_CHARACTERS}")


def file_bounds(limits: Limits) -> dict[str, int]:
    """Return the files that a package may hold, in their order, and the most bytes of each."""
    return {
        FLOW: limits.max_bytes,
        MANIFEST: MANIFEST_FACTOR * limits.max_bytes,
        DESCRIPTION: MAX_DESCRIPTION_BYTES,
        README: MAX_README_BYTES,
    }


def check_size(name: str, size: int, maximum: int) -> None:
    """Raise PackageRefused for a file that is too large."""
    if size > maximum:
        raise PackageRefused(f"{name} is larger than {maximum:,} bytes")


def _description(info: PackageInfo, target: str | None, files: dict[str, bytes]) -> bytes:
    described = {
        "format_version": FORMAT_VERSION,
        "package_id": info.package_id,
        "name": info.name,
        "version": info.version,
        "description": info.description,
        "scaicore_target": target,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    return orjson.dumps(described, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _zip(files: dict[str, bytes]) -> bytes:
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name in (FLOW, MANIFEST, DESCRIPTION, README):
            if name in files:
                member = ZipInfo(name, _EPOCH)
                member.create_system, member.external_attr = _UNIX, _READABLE_FILE
                archive.writestr(member, files[name])
    return packed.getvalue()
