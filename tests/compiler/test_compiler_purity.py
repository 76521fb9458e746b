"""The compiler touches nothing: files, sockets, processes, imports and all else forbidden, it does all it does."""

import subprocess
import sys
from pathlib import Path


def test_nothing_is_opened_imported_or_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "compiler.compiler_purity_run"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert int(done.stdout) > 50
