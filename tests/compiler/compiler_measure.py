"""What shapes cost: `cd tests && python -m compiler.compiler_measure [shape …]` prints a line for each stage.

Without shapes all of them are measured, and without `--format` all formats.

Each stage runs in a process of its own, forked when the document is there, so that what it adds to the memory can
be told. Bounds on its processor time and on its memory end it.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from compiler.compiler_documents import JSON
from compiler.compiler_hostile_shapes import Shape, Size, all_shapes

from scaiflow_api.compiler import (
    FORMATS,
    CompileError,
    ManifestError,
    compile_flow,
    import_manifest,
    validate_flow,
)
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.garbage import look_rarely

REFUSALS = (CompileError, ManifestError, FlowTooLarge)
DONE = "done"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Bounds:
    """What ends a stage."""

    cpu_seconds: int
    megabytes: int
    """Added to the address space that the process has before the stage."""


@dataclass(frozen=True)
class Cost:
    """How a stage ended, and what it took."""

    shape: str
    stage: str
    outcome: str
    """`done`, the name of the error, or the name of the signal of a bound."""
    seconds: float = 0.0
    """Of processor time."""
    megabytes: int = 0
    """Added at most to the memory in use."""

    @property
    def is_over(self) -> bool:
        """Whether a bound ended it."""
        return self.outcome.startswith(("SIG", "MemoryError"))


def costs(name: str, build: Shape, size: Size, bounds: Bounds, formats: Iterable[str]) -> Iterator[Cost]:
    """Yield what it costs to validate, to compile to each format, and to import what was compiled."""
    document: JSON = orjson.loads(orjson.dumps(build(size)))
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"

        def compile_to(output_format: str) -> None:
            compiled = compile_flow(document, output_format).body
            body.write_bytes(compiled.encode() if isinstance(compiled, str) else compiled)

        cost = measured(name, "validate", lambda: validate_flow(document), bounds)
        yield cost
        if cost.is_over:
            return
        for each in formats:
            cost = measured(name, each, lambda: compile_to(each), bounds)  # noqa: B023 — called at once
            yield cost
            if cost.outcome == DONE and each != "scai":
                source = body.read_bytes()
                again = source if each == "ir" else source.decode()
                yield measured(name, f"import {each}", lambda: import_manifest(again), bounds)  # noqa: B023


def measured(shape: str, stage: str, work: Callable[[], object], bounds: Bounds) -> Cost:
    """Do a piece of work in a fork, and return what it took there."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.write(write, orjson.dumps(asdict(_in_the_child(shape, stage, work, bounds))))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answers:
        answer = answers.read()
    _, status = os.waitpid(child, 0)
    if answer:
        return Cost(**orjson.loads(answer))
    return Cost(shape, stage, signal.Signals(os.waitstatus_to_exitcode(status) * -1).name)


def _in_the_child(shape: str, stage: str, work: Callable[[], object], bounds: Bounds) -> Cost:
    pages, resident = map(int, Path("/proc/self/statm").read_text().split()[:2])
    room = pages * resource.getpagesize() + bounds.megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_seconds, bounds.cpu_seconds))
    started = time.process_time()
    try:
        work()
        outcome = DONE
    except REFUSALS as refused:
        outcome = type(refused).__name__
    except BaseException as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Cost(
        shape, stage, outcome, round(seconds, 2), peak - resident * resource.getpagesize() // MEGABYTE
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=int, default=1, help="one part of how many of the limits")
    parser.add_argument("--cpu", type=int, default=60, help="seconds of processor time for a stage")
    parser.add_argument("--megabytes", type=int, default=2_000)
    parser.add_argument("--format", choices=FORMATS, action="append", help="may be repeated")
    parser.add_argument("shapes", nargs="*")
    told = parser.parse_args()
    look_rarely()  # as the programs do
    shapes = all_shapes()
    for name in told.shapes or shapes:
        bounds = Bounds(told.cpu, told.megabytes)
        for cost in costs(name, shapes[name], Size(told.share), bounds, told.format or FORMATS):
            sys.stdout.write(orjson.dumps(asdict(cost)).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
