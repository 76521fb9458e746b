"""The compiler touches nothing: with files, sockets, processes and imports forbidden it still does all it does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, pathlib, sys
from scaiflow_api.compiler import CompileError, ManifestError, compile_flow, read_manifest, validate_flow
from scaiflow_api.compiler.document import RULES, example_document

documents = [json.loads(path.read_text()) for path in sorted(pathlib.Path("examples").glob("*.flow.json"))]
documents += [example_document(rule) for rule in RULES]
forbidden = ("open", "import", "socket.", "subprocess.", "os.", "exec", "compile", "ctypes.", "shutil.", "urllib.")

def refuse(event, arguments):
    if event.startswith(forbidden):
        raise RuntimeError(f"{event} {arguments}")

sys.addaudithook(refuse)
compiled = 0
for document in documents:
    validate_flow(document)
    try:
        body = compile_flow(document).body
    except CompileError:
        continue
    read_manifest(body)
    compiled += 1
for text in ("", "core: [", "!!python/object/apply:os.system [ls]"):
    try:
        read_manifest(text)
    except ManifestError:
        pass
print(compiled)
"""


def test_nothing_is_opened_imported_or_started() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert int(done.stdout) > 5
