"""The Node client: one process for one server, which is told what to do line by line."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.coediting.contenders import Target
from benchmarks.coediting.node import HERE, NODE


class Driver:
    """`client/main.mjs` says what it can do."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, command: str, **options: Any) -> Any:
        """Have it do something, and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **options}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the driver ended over '{command}'; see above")
        return json.loads(answer)


@contextmanager
def driving(target: Target) -> Iterator[Driver]:
    """Start a driver for a server."""
    process = subprocess.Popen(
        [NODE, HERE / "client" / "main.mjs", json.dumps(target.described())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Driver(process)
    finally:
        process.kill()
        process.wait()
