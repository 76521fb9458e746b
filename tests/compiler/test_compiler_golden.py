"""Golden cases: `cases/*.md`, each a document and what the compiler makes of it.

A case has one block ```json document (or ```json file, with a path from the root of the checkout) and some of
```yaml manifest (all of it), ```yaml flows (`core.flows` alone), ```scai text, ```hex bundle (size and digest of the
SCIR bundle), ```text diagnostics. With `UPDATE_GOLDEN=1` in
the environment the expected blocks are rewritten; the difference is reviewed like code:

    UPDATE_GOLDEN=1 python -m pytest tests/compiler/test_compiler_golden.py
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from compiler_documents import two_models

from scaiflow_api.compiler import CompileError, compile_flow, read_manifest, validate_flow
from scaiflow_api.compiler.kinds import KINDS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CASES = sorted((HERE / "cases").glob("*.md"))
BLOCK = re.compile(r"^```(\w+) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMON = {
    "id": "flow_case",
    "name": "Case",
    "version": "1.0.0",
    "config": {"core_identity": {"models": two_models()}},
}
"""What the documents in the cases leave out."""


def document_of(blocks: dict[str, str]) -> Any:
    if "file" in blocks:
        return orjson.loads((ROOT / blocks["file"].strip()).read_bytes())
    return {**COMMON, **orjson.loads(blocks["document"])}


def actual(name: str, document: Any) -> str:
    if name == "diagnostics":
        lines = []
        for found in validate_flow(document):
            fix = f" ({found.fix})" if found.fix else ""
            lines.append(f"{found.severity} {found.code} {found.path or 'flow'}: {found.message}{fix}\n")
        return "".join(lines)
    if name == "text":
        return str(compile_flow(document, "scai").body)
    if name == "bundle":
        bundle = compile_flow(document, "ir").body
        assert isinstance(bundle, bytes)
        return f"{len(bundle)} bytes, sha256 {hashlib.sha256(bundle).hexdigest()}\n"
    body = str(compile_flow(document).body)
    if name == "manifest":
        return body
    start = body.index("\n  flows:\n") + 1
    return re.sub("^  ", "", body[start : body.index("\n  scaiflow_meta:\n") + 1], flags=re.MULTILINE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_case_compiles_to_what_it_says(case: Path) -> None:
    text = case.read_text(encoding="utf-8")
    blocks = {name: body for _, name, body in BLOCK.findall(text)}
    document = document_of(blocks)

    expected = {name: actual(name, document) for name in blocks if name not in ("document", "file")}

    if os.environ.get("UPDATE_GOLDEN"):
        case.write_text(
            BLOCK.sub(lambda found: f"```{found[1]} {found[2]}\n{expected.get(found[2], found[3])}```", text),
            encoding="utf-8",
        )
    else:
        assert {name: blocks[name] for name in expected} == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_case_that_compiles_can_be_read_back(case: Path) -> None:
    blocks = {name: body for _, name, body in BLOCK.findall(case.read_text(encoding="utf-8"))}
    try:
        compiled = compile_flow(document_of(blocks))
    except CompileError:
        assert "diagnostics" in blocks
    else:
        assert read_manifest(str(compiled.body)) == compiled.module


def test_there_is_a_case_for_every_compiled_kind() -> None:
    assert {kind for kind in KINDS if not (HERE / "cases" / f"kind_{kind}.md").exists()} == set()
