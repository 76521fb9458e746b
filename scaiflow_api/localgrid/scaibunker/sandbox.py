"""Runs one command shut in, and ends it when it takes more than it may."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from scaiflow_api.localgrid.scaibunker import bubblewrap, folders
from scaiflow_api.localgrid.scaibunker.bubblewrap import Unavailable
from scaiflow_api.localgrid.scaibunker.processes import usage_below

MAX_PROCESSES = 128
MAX_OUTPUT_BYTES = 1024 * 1024
EXIT_TIMEOUT = 124
"""As `timeout` has it."""
EXIT_KILLED = 137

_LOOK_EVERY_S = 0.02
"""Often, because a program that does nothing but fork is to be ended while it is small."""
_LOOKS_BETWEEN_SIZES = 50
_MB = 1024 * 1024
_INSIDE = files(__package__).joinpath("inside.py").read_text("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the commands of a sandbox may use."""

    timeout_s: float
    cpu_millicores: int
    memory_mb: int
    disk_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that has ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    stopped: str | None
    """Why it was ended from outside: `timeout`, `memory`, `processes` or `disk`."""
    truncated: bool
    """There was more output than is kept."""


async def probe(folder: Path) -> None:
    """Run something in a sandbox on a new folder. Raises Unavailable."""
    limits = Limits(timeout_s=20, cpu_millicores=1000, memory_mb=512, disk_mb=64)
    done = await run(folder, ["exec", bubblewrap.WORKSPACE, "true"], limits=limits)
    if done.exit_code != 0:
        reason = done.stderr.decode(errors="replace").strip() or f"exit code {done.exit_code}"
        raise Unavailable(f"bubblewrap cannot shut a command in on this machine: {reason[:500]}")


async def run(
    folder: Path,
    program: Sequence[str],
    *,
    limits: Limits,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    max_output: int = MAX_OUTPUT_BYTES,
) -> Finished:
    """Run a verb of `inside.py` on the folder. Raises Unavailable, or OSError when it cannot be started."""
    bwrap = bubblewrap.find()
    if bwrap is None:
        raise Unavailable("bubblewrap is not installed: there is no `bwrap` on the path")
    first = [bubblewrap.python(), "-I", "-S", "-c", _INSIDE, json.dumps(_limits_of_each(limits))]
    with _readable("\0".join(bubblewrap.options(folder, env or {})).encode()) as options:
        process = await asyncio.create_subprocess_exec(
            *(bwrap, "--args", str(options), "--", *first, *program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            pass_fds=[options],
        )
    try:
        return await _follow(process, folder, limits, stdin, max_output)
    finally:
        if process.returncode is None:
            # With the outer process goes the first one inside, and with that one all others.
            process.kill()
            await asyncio.shield(process.wait())


async def _follow(
    process: asyncio.subprocess.Process, folder: Path, limits: Limits, stdin: bytes, max_output: int
) -> Finished:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = _Kept(max_output), _Kept(MAX_OUTPUT_BYTES)
    watching = asyncio.create_task(_watch(process, folder, limits))
    try:
        await asyncio.gather(
            _feed(process.stdin, stdin), out.take(process.stdout), err.take(process.stderr), process.wait()
        )
        stopped = watching.result() if watching.done() else None
    finally:
        watching.cancel()
    exit_code = process.returncode or 0
    if stopped is not None:
        exit_code = EXIT_TIMEOUT if stopped == "timeout" else EXIT_KILLED
    return Finished(
        exit_code=exit_code,
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        stopped=stopped,
        truncated=out.dropped or err.dropped,
    )


async def _watch(process: asyncio.subprocess.Process, folder: Path, limits: Limits) -> str:
    """Kill the process as soon as there is a reason to, and return it."""
    loop = asyncio.get_running_loop()
    end, looks = loop.time() + limits.timeout_s, 0
    while True:
        left = end - loop.time()
        reason = "timeout" if left <= 0 else await _excess(process.pid, folder, limits, looks)
        if reason is not None:
            process.kill()
            return reason
        await asyncio.sleep(min(left, _LOOK_EVERY_S))
        looks += 1


async def _excess(pid: int, folder: Path, limits: Limits, looks: int) -> str | None:
    usage = usage_below(pid, most=MAX_PROCESSES)
    if usage.processes > MAX_PROCESSES:
        return "processes"
    if usage.memory_bytes > limits.memory_mb * _MB:
        return "memory"
    if looks % _LOOKS_BETWEEN_SIZES == _LOOKS_BETWEEN_SIZES - 1:
        most = limits.disk_mb * _MB
        if await asyncio.to_thread(folders.size_of, folder, most=most) > most:
            return "disk"
    return None


@contextmanager
def _readable(content: bytes) -> Iterator[int]:
    """Yield the number of a file, in memory, from which the content can be read."""
    number = os.memfd_create("options")
    try:
        os.write(number, content)
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)


def _limits_of_each(limits: Limits) -> dict[str, int]:
    """Return the kernel's limits for each process. The sums of all are watched from outside."""
    return {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.timeout_s * limits.cpu_millicores / 1000) + 1,
        "RLIMIT_DATA": limits.memory_mb * _MB,
        "RLIMIT_FSIZE": limits.disk_mb * _MB,
        "RLIMIT_NOFILE": 1024,
        "RLIMIT_NPROC": 2 * MAX_PROCESSES,
    }


async def _feed(stream: asyncio.StreamWriter, content: bytes) -> None:
    try:
        stream.write(content)
        await stream.drain()
    except (BrokenPipeError, ConnectionResetError):  # nobody wanted to read it
        pass
    finally:
        stream.close()


class _Kept:
    """The first bytes of a stream."""

    def __init__(self, most: int) -> None:
        self.data = bytearray()
        self.dropped = False
        self._most = most

    async def take(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65_536):
            room = self._most - len(self.data)
            self.data += chunk[:room]
            self.dropped = self.dropped or len(chunk) > room
