"""Coverage-guided fuzzing of what reads text of strangers: documents, manifests, bundles and expressions.

    cd tests && python -m compiler.fuzz_compiler FOLDER [options of libFuzzer, such as -max_total_time=600]

FOLDER keeps the inputs that reached something new; every run adds sound ones to it. An input that breaks a promise
is written beside it, and the run ends. `make fuzz-guided` does all of it.
"""

import json
import sys
from enum import IntEnum
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["scaiflow_api.compiler", "scaiflow_api.expressions", "scaiflow_api.flowgraph"]
):
    from compiler.compiler_hostile_checks import check_document, check_expression, check_source

    from scaiflow_api.compiler import compile_flow
    from scaiflow_api.compiler.bundle import HEADER

from compiler.compiler_mutations import TEMPLATES, mutate

from scaiflow_api.compiler.document import RULES, example_document

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
DOCUMENTS = [json.loads(path.read_text()) for path in EXAMPLES]
STARTS = [*DOCUMENTS, *(example_document(rule) for rule in RULES)]


class Kind(IntEnum):
    """What the rest of an input is, by its first byte."""

    DOCUMENT = 0
    MUTATION = 1
    MANIFEST = 2
    BUNDLE = 3
    EXPRESSION = 4


def check(data: bytes) -> None:
    if not data:
        return
    rest = data[1:]
    match Kind(data[0] % len(Kind)):
        case Kind.DOCUMENT:
            try:
                document = json.loads(rest)
            except (ValueError, RecursionError):
                return
            check_document(document)
        case Kind.MUTATION:
            check_document(mutated(rest))
        case Kind.MANIFEST:
            check_source(rest.decode(errors="replace"))
        case Kind.BUNDLE:
            check_source(HEADER + rest)
        case Kind.EXPRESSION:
            check_expression(rest.decode(errors="replace"))


def mutated(data: bytes) -> object:
    """Return a document changed as the bytes choose: they stand for decisions of the mutator, not for text."""
    decisions = atheris.FuzzedDataProvider(data)
    document = json.loads(json.dumps(STARTS[decisions.ConsumeIntInRange(0, len(STARTS) - 1)]))
    for _ in range(8):
        if not decisions.remaining_bytes():
            break
        mutate(document, lambda count: decisions.ConsumeIntInRange(0, count - 1), DOCUMENTS)
    return document


def write_starts(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    starts = [bytes([Kind.DOCUMENT]) + json.dumps(document).encode() for document in STARTS]
    for document in DOCUMENTS:
        starts.append(bytes([Kind.MANIFEST]) + compile_flow(document).text.encode())
        starts.append(bytes([Kind.BUNDLE]) + bytes(compile_flow(document, "ir").body)[len(HEADER) :])
    starts += [bytes([Kind.EXPRESSION]) + text.encode() for text in TEMPLATES]
    starts += [bytes([Kind.MUTATION, *(number * step % 256 for step in range(24))]) for number in range(60)]
    for number, start in enumerate(starts):
        (folder / f"start_{number}").write_bytes(start)


def main() -> None:
    folder = Path(sys.argv[1])
    write_starts(folder)
    options = [f"-artifact_prefix={folder.parent}/broken_", "-max_len=32768", "-timeout=20"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
