"""Reading packages: what the builder made comes back, and nothing else that anybody may have made gets through."""

import hashlib
import io
import json
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from compiler_documents import a_flow, a_text, an_entry
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler.package import PackageInfo, PackageRefused, build_package
from scaiflow_api.compiler.package_reader import read_package
from scaiflow_api.flowgraph import FlowTooLarge, Limits

INFO = PackageInfo(package_id="my-flow", name="My Flow", version="1.2.0", description="Says x.")
FLOW = a_flow([an_entry(), a_text("say")], ("entry", "say"))
GOOD = build_package(FLOW, INFO, readme="# Réad me")

Files = dict[str, bytes]


def files_of(package: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(files: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def repack(method: int = zipfile.ZIP_STORED, **changed: bytes | None) -> bytes:
    """Pack the good files with some of them changed or left out; the digests are made to fit."""
    files: dict[str, bytes | None] = {**files_of(GOOD)}
    for name, content in changed.items():
        files[{"flow": "flow.json", "manifest": "manifest.yaml", "readme": "README.md"}[name]] = content
    kept = {name: content for name, content in files.items() if content is not None}
    return pack(list(described(kept).items()), method)


def described(files: Files, /, **changed: Any) -> Files:
    """Let package.json name the digests of the files, and change members of it."""
    described = json.loads(files["package.json"])
    described["files"] = {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "package.json"
    }
    return {**files, "package.json": json.dumps({**described, **changed}).encode()}


def refusal(package: bytes) -> str:
    with pytest.raises(PackageRefused) as refused:
        read_package(package)
    return str(refused.value)


def test_what_was_built_is_read() -> None:
    package = read_package(GOOD)

    assert package.info == INFO
    assert package.document == FLOW
    assert package.readme == "# Réad me"
    assert read_package(build_package(FLOW, INFO)).readme is None


def test_a_package_that_another_tool_packed_is_read() -> None:
    assert read_package(repack(zipfile.ZIP_DEFLATED)) == read_package(GOOD)


@pytest.mark.parametrize(
    "name",
    ["../flow.json", "/etc/passwd", "..\\flow.json", "FLOW.JSON", "a/flow.json", "sub/", "flow.json\0"],
)
def test_no_other_file_is_taken(name: str) -> None:
    # The digests fit: the name alone is refused.
    files = [*described({**files_of(GOOD), name: b"x"}).items()]
    packed = pack(files)
    if name.endswith("\0"):
        packed = pack([("flow.jsonX", b"x"), *files_of(GOOD).items()]).replace(b"flow.jsonX", b"flow.json\0")

    assert "a file that no package has" in refusal(packed)


def test_no_file_is_there_twice() -> None:
    assert "flow.json twice" in refusal(pack([*files_of(GOOD).items(), ("flow.json", b"{}")]))


@pytest.mark.parametrize("missing", ["flow.json", "manifest.yaml", "package.json"])
def test_no_file_is_missing(missing: str) -> None:
    files = files_of(GOOD)
    del files[missing]
    if missing != "package.json":
        files = described(files)

    assert refusal(pack(list(files.items()))) == f"the package has no {missing}"


def test_a_link_is_no_file() -> None:
    link = zipfile.ZipInfo("README.md")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    files = files_of(GOOD)
    readme = files.pop("README.md")

    assert "README.md is no plain file" in refusal(pack([*files.items(), (link, readme)]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_refused(method: int) -> None:
    assert "a method other than store and deflate" in refusal(repack(method))


@pytest.mark.parametrize("name", ["flow.json", "manifest.yaml", "package.json", "README.md"])
@pytest.mark.parametrize("change", [lambda data: data + b" ", lambda data: data[:-1], lambda _: b""])
def test_a_file_that_was_changed_is_noticed(name: str, change: Callable[[bytes], bytes]) -> None:
    files = files_of(GOOD)
    changed = {**files, name: change(files[name])}
    if name == "package.json":
        changed = {**changed, "flow.json": files["flow.json"] + b"\n"}

    refusal(pack(list(changed.items())))


def test_a_digest_for_a_file_that_is_not_there_is_refused() -> None:
    files = files_of(GOOD)
    del files["README.md"]

    assert "not those whose digests" in refusal(pack(list(files.items())))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"format_version": 2}, "format is not version 1"),
        ({"format_version": True}, "format is not version 1"),
        ({"format_version": None}, "format is not version 1"),
        ({"package_id": "../x"}, "a package id has"),
        ({"package_id": 7}, "package_id must be text"),
        ({"version": "latest"}, "semantic version"),
        ({"name": " "}, "needs a name"),
        ({"name": "a\0"}, "NUL"),
        ({"description": None}, "description must be text"),
        ({"files": None}, "not those whose digests"),
    ],
)
def test_what_the_package_says_of_itself_is_checked(changed: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(pack(list(described(files_of(GOOD), **changed).items())))


@pytest.mark.parametrize(
    ("flow", "sentence"),
    [
        (b"", "flow.json is not JSON"),
        (b"[" * 100_000, "flow.json is not JSON"),
        (b"[]", "flow.json is no JSON object"),
        (b'{"id": "flow_x"}', "flow.json is no flow document: name: name is required"),
        (b'{"a": "\\u0000"}', "flow.json is no flow document"),
        (b'{"a": NaN}', "flow.json is not JSON"),
    ],
)
def test_the_flow_must_be_one(flow: bytes, sentence: str) -> None:
    assert sentence in refusal(repack(flow=flow))


def test_the_flow_keeps_the_limits() -> None:
    with pytest.raises(FlowTooLarge):
        read_package(GOOD, limits=Limits(max_nodes=1))


def test_a_readme_is_text() -> None:
    assert "README.md is not UTF-8" in refusal(repack(readme=b"\xff"))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = repack(zipfile.ZIP_DEFLATED, readme=b" " * 1024 * 1024)

    assert "more than 200 times" in refusal(bomb)
    assert "README.md is larger" in refusal(repack(readme=b" " * (1024 * 1024 + 1)))
    assert "flow.json is larger" in refusal(repack(zipfile.ZIP_DEFLATED, flow=b" " * (6 * 1024 * 1024)))


def test_a_size_that_is_not_true_is_noticed() -> None:
    bomb = repack(zipfile.ZIP_DEFLATED, readme=b" " * 1024 * 1024)
    announced = bomb.replace(struct.pack("<L", 1024 * 1024), struct.pack("<L", 1024))

    assert refusal(announced) == "the package is no sound zip file"


def test_a_crowd_of_entries_is_refused_before_it_is_read() -> None:
    crowd = pack([(f"f{number}", b"") for number in range(10_000)])

    assert "no zip file of a few files" in refusal(crowd)


def test_a_package_too_large_is_refused_before_it_is_read() -> None:
    assert "the package is larger than" in refusal(b"\0" * (64 * 1024 * 1024))


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x05\x06" + b"\0" * 18, GOOD + b"\n", GOOD[:-1], b"x" + GOOD]
)
def test_what_is_no_package_is_refused(data: bytes) -> None:
    refusal(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@example([(len(GOOD) - 22 + 16, 255)])
@example([(len(GOOD) - 12, 0)])
def test_bytes_that_were_changed_are_refused_or_change_nothing(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    try:
        package = read_package(bytes(data))
    except PackageRefused:
        return
    assert package == read_package(GOOD)  # dates and attributes mean nothing to us


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_pieces_of_a_package_are_refused(start: int, end: int) -> None:
    piece = GOOD[start:end]
    if piece != GOOD:
        refusal(piece)


SCRIPT = """
import sys
from scaiflow_api.compiler.package_reader import read_package

data = sys.stdin.buffer.read()
forbidden = ("open", "import", "socket.", "subprocess.", "os.", "exec", "compile", "ctypes.", "shutil.", "urllib.")

def refuse(event, arguments):
    if event.startswith(forbidden):
        raise RuntimeError(f"{event} {arguments}")

sys.addaudithook(refuse)
print(read_package(data).info.package_id)
"""


def test_reading_opens_imports_and_starts_nothing() -> None:
    deflated = repack(zipfile.ZIP_DEFLATED)
    done = subprocess.run([sys.executable, "-c", SCRIPT], input=deflated, capture_output=True, check=False)

    assert done.stderr == b""
    assert done.stdout == b"my-flow\n"
