"""Running commands in this process."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scaiflow_api.cli.commands import run
from scaiflow_api.cli.failure import explained

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: bytes
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.output.decode().splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.output)


Scaiflow = Callable[..., Done]


@pytest.fixture
def scaiflow(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Scaiflow:
    """Run `scaiflow` in an empty folder; `stdin` is what standard input holds."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str | Path, stdin: bytes | str = b"") -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            explained(lambda: run([str(argument) for argument in arguments]))
        captured = capsysbinary.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err.decode())

    return command


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """The echo agent in a file `echo.flow.json`."""
    path = tmp_path / "echo.flow.json"
    path.write_bytes((EXAMPLES / "echo-agent.flow.json").read_bytes())
    return path


@pytest.fixture
def changed(echo: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a file like `echo`, after `change` had its way with the document."""

    def write(change: Callable[[Any], object], name: str = "changed.flow.json") -> Path:
        document = json.loads(echo.read_text())
        change(document)
        path = tmp_path / name
        path.write_text(json.dumps(document, indent=2))
        return path

    return write
