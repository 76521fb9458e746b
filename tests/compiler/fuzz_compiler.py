"""Coverage-guided fuzzing of what reads text of strangers: documents, manifests, bundles and expressions.

    cd tests && python -m compiler.fuzz_compiler FOLDER [options of libFuzzer, such as -max_total_time=600]

FOLDER keeps the inputs that reached something new; every run adds sound ones to it. An input that breaks a promise
is written beside it, and the run ends. `make fuzz-guided` does all of it. What an input is stands in
`compiler_fuzz_inputs.py`.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["scaiflow_api.compiler", "scaiflow_api.expressions", "scaiflow_api.flowgraph"]
):
    from compiler.compiler_fuzz_inputs import check, starts


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(starts()):
        (folder / f"start_{number}").write_bytes(start)
    options = [f"-artifact_prefix={folder.parent}/broken_", "-max_len=32768", "-timeout=20"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
