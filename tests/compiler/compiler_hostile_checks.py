"""What holds for any input whatever: of a document, a manifest, a bundle, an expression. Each fails by raising."""

from collections.abc import Callable
from typing import Any

import orjson

from scaiflow_api.compiler import (
    FORMATS,
    CompileError,
    ManifestError,
    compile_flow,
    import_manifest,
    read_manifest,
    validate_flow,
)
from scaiflow_api.compiler.verifier import verify
from scaiflow_api.expressions import (
    EvaluationError,
    ExpressionSyntaxError,
    Limits,
    evaluate,
    parse,
    parse_template,
    render,
)
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.canonical_json import canonical_json

LIMITS = Limits(steps=2_000, result_bytes=16_384)
SCOPE: dict[str, Any] = {
    "a": [1, 2.5, "x", None, {"b": [True]}],
    "b": "text, more",
    "c": {"a": {"b": 1}, "__class__": "x"},
    "d": None,
    "x": 3,
}


def check_document(document: object) -> bool:
    """Validating and compiling agree; what compiles is sound and comes back. Return whether it compiles."""
    try:
        found = validate_flow(document)
    except FlowTooLarge:
        return False
    assert all(item.message and item.code for item in found)
    orjson.dumps([(item.message, item.path, item.fix) for item in found])
    try:
        compiled, findings = [compile_flow(document, each) for each in FORMATS], None
    except CompileError as refused:
        compiled, findings = [], refused.diagnostics
    assert any(item.severity == "error" for item in found) == (findings is not None)
    if findings is not None:
        assert list(findings) == found
        return False
    assert list(compiled[0].diagnostics) == found
    assert verify(compiled[0].module) == []
    canonical = canonical_json(document)  # which decides what is compiled
    for each in compiled[:2]:
        assert canonical_json(import_manifest(each.body).document) == canonical
    read_manifest(compiled[0].body)
    compiled[2].text.encode()
    return True


def check_source(source: str | bytes) -> bool:
    """A manifest or a bundle is imported or refused with a sentence. Return whether it is imported."""
    document, sentence = None, ""
    try:
        document = import_manifest(source).document
    except (ManifestError, FlowTooLarge) as refused:
        sentence = str(refused)
    assert (document is None) == bool(sentence)
    if document is None:
        return False
    orjson.dumps(document)
    check_document(document)
    return True


def check_expression(text: str) -> bool:
    """An expression is evaluated or refused, and so is the text as a template. Return whether both give a value."""
    outcomes = [
        _outcome(lambda: render(parse_template(text), SCOPE, limits=LIMITS)),
        _outcome(lambda: evaluate(parse(text), SCOPE, limits=LIMITS)),
    ]
    return all(outcomes)


def _outcome(work: Callable[[], object]) -> bool:
    sentence = None
    try:
        orjson.dumps(work())
    except (ExpressionSyntaxError, EvaluationError) as refused:
        sentence = str(refused)
    assert sentence != ""
    return sentence is None
