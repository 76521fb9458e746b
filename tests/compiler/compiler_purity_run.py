"""Does all that the compiler and the expression language do, in a process where Python allows nothing but computing.

`cd tests && python -m compiler.compiler_purity_run` prints how many documents were compiled to every format and came
back. It is a program of its own because what it forbids cannot be allowed again.
"""

import gc
import importlib
import json
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from compiler import compiler_hostile_graphs
from compiler.compiler_hostile_shapes import Size, all_shapes

import scaiflow_api.compiler
import scaiflow_api.expressions
import scaiflow_api.flowgraph
from scaiflow_api.compiler import (
    FORMATS,
    CompileError,
    ManifestError,
    compile_flow,
    import_manifest,
    read_manifest,
    validate_flow,
)
from scaiflow_api.compiler.diagnostics_page import RULES, example_document
from scaiflow_api.compiler.verifier import verify
from scaiflow_api.expressions import (
    EvaluationError,
    ExpressionSyntaxError,
    evaluate,
    parse,
    render_value,
    template_names,
)

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
ALLOWED = ("object.__getattr__", "object.__setattr__", "builtins.id", "sys._getframe", "sys.excepthook")
"""Events that reach nothing outside of the process."""
BAD_MANIFESTS: tuple[str | bytes, ...] = (
    "",
    "core: [",
    "!!python/object/apply:os.system [ls]",
    "!include /etc/passwd",
    "core: {name: !!python/name:os.system , flows: []}",
    "SCIR",
    b"SCIR\x01\0\0\0\xc1",
    b"SCIR\x01\0\0\0\xc7\x05\x01hello",
    b"\xff\xfe",
)
EXPRESSIONS = (
    "__import__('os').system('ls')",
    "a.__class__.__mro__[1].__subclasses__()",
    "open('/etc/passwd').read()",
    "a.map(x => x.to_json()).join(', ').split(',').length",
    "[1, 2.5, '3'].sum() ?? {a: 30s}.a",
    "'a'.matches('(a+)+$') || 'b'.replace('b', 'c') == :c",
    "1 / 0",
    "(" * 100,
)
SCOPE: dict[str, Any] = {"a": [{"b": 1}], "text": "x"}


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ALLOWED:
        raise RuntimeError(f"{event} {arguments}")


def load_everything() -> None:
    """Import every module of the libraries: only names that are asked for are loaded otherwise."""
    for package in (scaiflow_api.compiler, scaiflow_api.expressions, scaiflow_api.flowgraph):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def assert_that_reaching_out_is_refused() -> None:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: Path(__file__).read_text(),
        socket.socket,
        lambda: subprocess.run(["true"], check=True),
        lambda: importlib.import_module("this"),
        lambda: eval("1"),
    )
    for attempt in attempts:
        try:
            attempt()
        except RuntimeError:
            continue
        raise AssertionError("the hook refuses less than this program is about")


def process_settings() -> tuple[object, ...]:
    """Return what belongs to the program, which libraries leave alone."""
    return gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), sys.getrecursionlimit()


def compile_and_import(document: object) -> bool:
    """Do all with a document; return whether it could be compiled."""
    try:
        validate_flow(document)
        bodies = [compile_flow(document, each) for each in FORMATS]
    except CompileError:
        return False
    assert bodies[0].diagnostics is not None
    assert not verify(bodies[0].module)
    read_manifest(bodies[0].body)
    assert all(import_manifest(bodies[at].body).document == document for at in (0, 1))
    return True


def main() -> None:
    documents = [json.loads(path.read_text()) for path in EXAMPLES]
    documents += [example_document(rule) for rule in RULES]
    graphs = compiler_hostile_graphs.SHAPES
    documents += [build(Size(200)) for build in graphs.values()]
    others = all_shapes().keys() - graphs.keys()
    documents += [all_shapes()[name](Size(1_000)) for name in sorted(others) if name[:12] != "expressions_"]
    load_everything()
    for document in documents[: len(EXAMPLES)]:
        assert compile_and_import(document)  # The models of configurations are built when first used.

    process = process_settings()
    sys.addaudithook(refuse)
    assert_that_reaching_out_is_refused()
    compiled = sum([compile_and_import(document) for document in documents])
    for source in BAD_MANIFESTS:
        with suppress(ManifestError):
            import_manifest(source)
    for text in EXPRESSIONS:
        with suppress(ExpressionSyntaxError):
            template_names(f"{{{{ {text} }}}}")
        with suppress(ExpressionSyntaxError, EvaluationError):
            evaluate(parse(text), SCOPE)
        with suppress(ExpressionSyntaxError, EvaluationError):
            render_value({"a": f"{{{{ {text} }}}}"}, SCOPE)
    assert process_settings() == process
    sys.stdout.write(f"{compiled}\n")


if __name__ == "__main__":
    main()
