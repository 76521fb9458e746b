"""Packages: the same bytes for the same flow everywhere, and nothing in them that should not be handed on."""

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from compiler_documents import a_flow, a_node, a_text, an_entry
from msgspec.structs import replace

from scaiflow_api.compiler import CompileError, compile_flow
from scaiflow_api.compiler.package import PackageInfo, PackageRefused, build_package, package_id_of
from scaiflow_api.kit.canonical_json import canonical_json

URL = "https://erp.example/orders"
INFO = PackageInfo(package_id="my-flow", name="My Flow", description="Says x.")


def document(template: str = "x") -> dict[str, Any]:
    return a_flow([an_entry(), a_text("say", template)], ("entry", "say"))


def test_a_package_holds_the_flow_its_manifest_and_what_it_is() -> None:
    flow = document()
    with zipfile.ZipFile(io.BytesIO(build_package(flow, INFO, readme="# Read me"))) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}

    assert list(files) == ["flow.json", "manifest.yaml", "package.json", "README.md"]
    assert files["flow.json"] == canonical_json(flow)
    assert files["manifest.yaml"].decode() == compile_flow(flow).body
    assert files["README.md"] == b"# Read me"
    assert json.loads(files["package.json"]) == {
        "format_version": 1,
        "package_id": "my-flow",
        "name": "My Flow",
        "version": "0.1.0",
        "description": "Says x.",
        "scaicore_target": "0.2",
        "files": {
            name: hashlib.sha256(files[name]).hexdigest()
            for name in ("README.md", "flow.json", "manifest.yaml")
        },
    }


def test_the_same_flow_gives_the_same_bytes() -> None:
    package = build_package(document(), INFO)
    backwards = json.loads(json.dumps(document()), object_pairs_hook=lambda pairs: dict(reversed(pairs)))

    assert build_package(backwards, INFO) == package
    assert build_package(document("y"), INFO) != package


def test_nothing_in_it_depends_on_the_machine() -> None:
    with zipfile.ZipFile(io.BytesIO(build_package(document(), INFO))) as archive:
        members = archive.infolist()

    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {(member.create_system, member.external_attr, member.compress_type) for member in members} == {
        (3, 0o100644 << 16, zipfile.ZIP_STORED)
    }


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"package_id": ""}, "a package id has"),
        ({"package_id": "a--b"}, "a package id has"),
        ({"package_id": "-a"}, "a package id has"),
        ({"package_id": "A"}, "a package id has"),
        ({"package_id": "a\n"}, "a package id has"),
        ({"package_id": "a" * 65}, "a package id has"),
        ({"version": "1"}, "semantic version"),
        ({"version": "1.0.0\n"}, "semantic version"),
        ({"version": "01.0.0"}, "semantic version"),
        ({"version": "1.0.0-01"}, "semantic version"),
        ({"name": "  "}, "needs a name"),
        ({"description": "\ud800"}, "surrogate"),
        ({"name": "a\0"}, "NUL"),
    ],
)
def test_what_a_package_is_called_is_checked(fields: dict[str, str], sentence: str) -> None:
    info = PackageInfo(**{"package_id": "a", "name": "A", **fields})

    with pytest.raises(PackageRefused, match=sentence):
        build_package(document(), info)


def test_a_readme_has_a_size() -> None:
    with pytest.raises(PackageRefused, match="README"):
        build_package(document(), INFO, readme="é" * 600_000)


def test_a_literal_secret_is_not_handed_on() -> None:
    secret = "sgk_" + "a1b2c3d4e5f6" * 3

    with pytest.raises(PackageRefused) as refused:
        build_package(document(f"use {secret}"), INFO)

    assert refused.value.secrets == (("nodes[1].config.template", "say"),)
    assert refused.value.paths == ("nodes[1].config.template",)
    assert secret not in str(refused.value)


def test_a_credential_in_a_header_is_a_literal_secret() -> None:
    call = a_node(
        "call", "tool_http", config={"url": URL, "headers": {"Authorization": "Basic c2NhaTpmbG93"}}
    )
    flow = a_flow([an_entry(), call], ("entry", "call"))

    with pytest.raises(PackageRefused) as refused:
        build_package(flow, INFO)

    assert refused.value.secrets == (("nodes[1].config.headers.Authorization", "call"),)


def test_what_a_package_says_of_itself_has_a_size() -> None:
    with pytest.raises(PackageRefused, match=r"package\.json is larger than 65,536 bytes"):
        build_package(document(), replace(INFO, description="x" * 70_000))


def test_what_does_not_compile_is_not_handed_on() -> None:
    with pytest.raises(CompileError):
        build_package({"id": "flow_1"}, INFO)


@pytest.mark.parametrize(
    ("name", "package_id"),
    [("Customer Support!", "customer-support"), ("Été", "ete"), ("回声", ""), ("a" * 63 + " b", "a" * 63)],
)
def test_a_name_suggests_an_id(name: str, package_id: str) -> None:
    assert package_id_of(name) == package_id
