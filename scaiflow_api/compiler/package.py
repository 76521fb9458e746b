"""The `.scaipkg`: a flow with its manifest, to hand on or to publish in a catalog.

A zip of `flow.json` (canonical), `manifest.yaml`, `package.json` and, where there is one, `README.md`. The same
input gives the same bytes on every machine: names in that order, one fixed date, no compression, because what
compression makes differs between builds of its library. `package.json` names the SHA-256 of every other file.
"""

import hashlib
import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import orjson

from scaiflow_api.compiler.pipeline import compile_flow
from scaiflow_api.compiler.rules.policy import find_literal_secrets
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
MAX_README_BYTES = 1024 * 1024
_SEMVER = re.compile(SEMVER_PATTERN, re.ASCII)
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""
_UNIX, _READABLE_FILE = 3, 0o100644 << 16


class PackageRefused(Exception):
    """Why a flow cannot be packaged: one sentence, with the paths that it is about."""

    def __init__(self, message: str, paths: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.paths = paths


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageInfo:
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
    _check(info, readme)
    secrets = tuple(path for path, _ in find_literal_secrets(document))
    if secrets:
        raise PackageRefused(
            "the flow holds literal secrets, which everybody who installs the package would read; keep them in the "
            "vault and name them by their paths",
            secrets,
        )
    files = {"flow.json": canonical_json(document), "manifest.yaml": compiled.body.encode()}
    if readme is not None:
        files["README.md"] = readme.encode()
    return _zip(
        {**files, "package.json": _description(info, compiled.module.metadata.scaicore_target, files)}
    )


def _check(info: PackageInfo, readme: str | None) -> None:
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
    if readme is not None and len(readme.encode()) > MAX_README_BYTES:
        raise PackageRefused(f"the README is larger than {MAX_README_BYTES:,} bytes")


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
        for name in ("flow.json", "manifest.yaml", "package.json", "README.md"):
            if name in files:
                member = ZipInfo(name, _EPOCH)
                member.create_system, member.external_attr = _UNIX, _READABLE_FILE
                archive.writestr(member, files[name])
    return packed.getvalue()
