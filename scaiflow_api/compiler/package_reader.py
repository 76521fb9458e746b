"""Reading a `.scaipkg` that anybody may have made: everything is checked, in memory, before anything is believed.

Only the four known files are taken, so no name leads out of the package; sizes are bounded before anything is
unpacked; `package.json` must name the SHA-256 of every other file; `flow.json` must be a flow document. Nothing in
a package is run, and the manifest is not even read: installing makes a new one of the flow.
"""

import hashlib
import stat
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any, TypeAlias
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import orjson
from msgspec import Struct

from scaiflow_api.compiler.package import (
    DESCRIPTION,
    FLOW,
    FORMAT_VERSION,
    MANIFEST,
    README,
    PackageInfo,
    PackageRefused,
    check_size,
    check_texts,
    file_bounds,
)
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits, parse_document

JSON: TypeAlias = Any

MAX_RATIO = 200
"""No text of ours packs so well; a bomb does."""
_END = struct.Struct("<4s4H2LH")
"""The record at the end of a zip: signature, disks, entries, the directory's size and place, the comment's length."""
_LOCATOR_BYTES = 20
_MAX_DIRECTORY_BYTES = 4096
_ENCRYPTED = 0x1
_ARCHIVE_FAULTS = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
_TEXTS = ("package_id", "name", "version", "description")


class Package(Struct, frozen=True):
    """What a package holds."""

    info: PackageInfo
    document: dict[str, Any]
    """A valid flow document, as its author knew it: with the author's id."""
    readme: str | None


def read_package(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Package:
    """Return what is in the bytes of a package.

    Raises PackageRefused, and FlowTooLarge for a flow beyond the limits.
    """
    files = _unpack(data, file_bounds(limits))
    for name in (FLOW, MANIFEST, DESCRIPTION):
        if name not in files:
            raise PackageRefused(f"the package has no {name}")
    info = _info(_json_object(files, DESCRIPTION), files)
    readme = _text(files, README) if README in files else None
    check_texts(info, readme)
    document = _json_object(files, FLOW)
    problems = parse_document(document, limits=limits)
    if isinstance(problems, list):
        raise PackageRefused(f"{FLOW} is no flow document: {problems[0].path or 'it'}: {problems[0].message}")
    return Package(info, document, readme)


def _unpack(data: bytes, bounds: Mapping[str, int]) -> dict[str, bytes]:
    check_size("the package", len(data), sum(bounds.values()) + _MAX_DIRECTORY_BYTES)
    _check_directory(data)
    try:
        with ZipFile(BytesIO(data), metadata_encoding="utf-8") as archive:
            members = archive.infolist()
            _check_members(members, bounds)
            # A reader yields no more bytes than the member announces, and checks their CRC.
            return {member.filename: archive.read(member) for member in members}
    except _ARCHIVE_FAULTS as error:
        raise PackageRefused("the package is no sound zip file") from error


def _check_directory(data: bytes) -> None:
    """Refuse a zip whose directory is not a small one at its very end, before a million entries are read from it."""
    at = len(data) - _END.size
    if at < 0:
        raise PackageRefused("the package is no zip file")
    signature, disk, first_disk, here, entries, size, start, comment = _END.unpack_from(data, at)
    if signature != b"PK\x05\x06" or comment:
        raise PackageRefused("the package is no zip file, or something follows its end")
    is_zip64 = data[max(0, at - _LOCATOR_BYTES) :].startswith(b"PK\x06\x07")
    if is_zip64 or disk or first_disk or here != entries or size > _MAX_DIRECTORY_BYTES or start + size != at:
        raise PackageRefused("the package is no zip file of a few files")


def _check_members(members: list[ZipInfo], bounds: Mapping[str, int]) -> None:
    seen = []
    for member in members:
        name = member.orig_filename
        if name not in bounds:
            raise PackageRefused(f"the package holds a file that no package has: {_shown(name)}")
        if name in seen:
            raise PackageRefused(f"the package holds {name} twice")
        seen.append(name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or member.flag_bits & _ENCRYPTED:
            raise PackageRefused(f"{name} is no plain file")
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise PackageRefused(f"{name} is packed by a method other than store and deflate")
        check_size(name, member.file_size, bounds[name])
        if member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise PackageRefused(f"{name} unpacks to more than {MAX_RATIO} times its size")


def _info(described: dict[str, Any], files: Mapping[str, bytes]) -> PackageInfo:
    version = described.get("format_version")
    if isinstance(version, bool) or version != FORMAT_VERSION:
        raise PackageRefused(f"the package's format is not version {FORMAT_VERSION}")
    for key in _TEXTS:
        if not isinstance(described.get(key), str):
            raise PackageRefused(f"{DESCRIPTION}: {key} must be text")
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in files if name != DESCRIPTION}
    if described.get("files") != digests:
        raise PackageRefused(f"the files of the package are not those whose digests {DESCRIPTION} names")
    return PackageInfo(**{key: described[key] for key in _TEXTS})


def _json_object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        value: JSON = orjson.loads(files[name])
    except orjson.JSONDecodeError as error:
        raise PackageRefused(f"{name} is not JSON") from error
    if not isinstance(value, dict):
        raise PackageRefused(f"{name} is no JSON object")
    return value


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode()
    except UnicodeDecodeError as error:
        raise PackageRefused(f"{name} is not UTF-8") from error


def _shown(name: str) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else text[:79] + "…"
