"""Measures the compiler, the expression language and the command line: `python -m benchmarks.compiler`.

Every number is a ratio to a peer or a floor in the same run, of the medians of as many repetitions of each.
"""

import compileall
import gc
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import orjson
import yaml
from simpleeval import SimpleEval

from benchmarks.documents import flow_of
from scaiflow_api.compiler import compile_flow, read_manifest, validate_flow
from scaiflow_api.expressions import evaluate, parse
from scaiflow_api.flowgraph import FlowGraph
from scaiflow_api.kit.garbage import keep_what_is_loaded

SIZES = (50, 500, 5_000)
FLOOR = "parse into the models"
TURNS = 15
K = TypeVar("K")
PACKAGE = Path(__file__).parents[1] / "scaiflow_api"
ECHO = Path(__file__).parents[1] / "examples" / "echo-agent.flow.json"


def main() -> None:
    keep_what_is_loaded()  # as the server does
    measure_compiler()
    measure_expressions()
    measure_command_line()


def medians(work: Mapping[K, Callable[[], Any]]) -> dict[K, float]:
    """Return the median processor time of one repetition of each, in seconds.

    They take turns, all in one loop, so that what else the machine does slows all of them alike. The shortest time
    would be one of luck, which short work has more often: 5 ms are left alone now and then, half a second never is.
    """
    times: dict[K, list[float]] = {name: [] for name in work}
    for _ in range(TURNS):
        for name, step in work.items():
            gc.collect()
            started = processor_time()
            step()
            times[name].append(processor_time() - started)
    return {name: median(found) for name, found in times.items()}


def processor_time() -> float:
    """Return what this process has used, and those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure_compiler() -> None:
    print("the compiler, in ms (ratio to parsing the JSON into the models)")
    work: dict[tuple[str, int], Callable[[], Any]] = {}
    for size in SIZES:
        document = flow_of(size)
        work[FLOOR, size] = partial(FlowGraph.model_validate_json, orjson.dumps(document))
        work["validate", size] = partial(validate_flow, document)
        work["compile to SCIR", size] = partial(compile_flow, document, "ir")
        work["compile to YAML", size] = partial(compile_flow, document, "yaml")
    taken = medians(work)
    for name in dict.fromkeys(name for name, _ in work):
        cells = [
            f"{taken[name, size] * 1e3:9.1f} ({taken[name, size] / taken[FLOOR, size]:4.1f}x)"
            for size in SIZES
        ]
        growth = taken[name, SIZES[2]] / taken[name, SIZES[1]]
        print(f"  {name:24}", *cells, f"  {SIZES[1]} to {SIZES[2]}: {growth:.1f}x")
    measure_yaml()


def measure_yaml() -> None:
    document = flow_of(SIZES[1])
    body = compile_flow(document).text
    mapping = yaml.load(body, Loader=yaml.CSafeLoader)
    taken = medians(
        {
            "dump": lambda: yaml.dump(mapping, Dumper=yaml.CSafeDumper, sort_keys=False),
            "compile": lambda: compile_flow(document, "yaml"),
            "read": lambda: read_manifest(body),
        }
    )
    dumped, compiled, read = taken.values()
    print(f"  PyYAML (C) dumps the same manifest of {SIZES[1]} nodes in {dumped * 1e3:.1f} ms;", end=" ")
    print(f"compiling it is {compiled / dumped:.2f} of that. Reading it back: {read * 1e3:.1f} ms")


def measure_expressions() -> None:
    scope = {"confidence": 0.9, "intent": "refund", "kb_results": [1, 2, 3]}
    pairs = {
        "confidence > 0.7 && intent == 'refund'": (
            lambda names: names["confidence"] > 0.7 and names["intent"] == "refund",
            "confidence > 0.7 and intent == 'refund'",
        ),
        "confidence > 0.7 ? confidence * 2 : 0": (
            lambda names: names["confidence"] * 2 if names["confidence"] > 0.7 else 0,
            "confidence * 2 if confidence > 0.7 else 0",
        ),
    }
    print("\nexpressions, 100,000 evaluations")
    for text, (by_hand, python) in pairs.items():
        expression = parse(text)
        peer = SimpleEval(names=scope)
        parsed = peer.parse(python)
        work: dict[str, Callable[[], Any]] = {
            "ours": partial(repeat, evaluate, expression, scope),
            "by hand": partial(repeat, by_hand, scope),
            "simpleeval": partial(repeat, peer.eval, "", parsed),
        }
        ours, hand, simple = medians(work).values()
        print(f"  {text:42} {ours * 10:6.2f} us: {ours / hand:5.1f}x Python by hand,", end=" ")
        print(f"{ours / simple:.2f}x simpleeval")


def repeat(function: Callable[..., Any], *arguments: Any) -> None:
    for _ in range(100_000):
        function(*arguments)


def measure_command_line() -> None:
    # As the libraries are that the floor imports, even where Python may not write what it compiles.
    compileall.compile_dir(PACKAGE, quiet=1)
    command = shutil.which("scaiflow", path=str(Path(sys.executable).parent)) or "scaiflow"
    work: dict[str, Callable[[], Any]] = {
        "floor": lambda: run([sys.executable, "-c", "import pydantic, yaml"]),
        "ours": lambda: run([command, "validate", str(ECHO)]),
    }
    floor, ours = medians(work).values()
    print(f"\n`scaiflow validate` on the echo agent: {ours:.3f} s,", end=" ")
    print(f"{ours / floor:.2f}x `python -c 'import pydantic, yaml'` ({floor:.3f} s)")


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
