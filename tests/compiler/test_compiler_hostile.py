"""Whatever the compiler is given, it compiles it or refuses it: mutated documents, manifests, bundles and texts."""

import copy
from random import Random
from typing import Any

import orjson
import ormsgpack
import pytest
from compiler.compiler_fuzz_inputs import BROKEN, DOCUMENTS, Kind, check, starts
from compiler.compiler_hostile_checks import check_document, check_expression, check_source
from compiler.compiler_mutations import TEMPLATES, mutate, mutate_bytes
from compiler.compiler_random_flows import flows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import compile_flow
from scaiflow_api.compiler.diagnostics_page import RULES

YAML = [compile_flow(document).text.encode() for document in DOCUMENTS]
BUNDLES = [bytes(compile_flow(document, "ir").body) for document in DOCUMENTS]
PARTS = (
    *(
        b"&a ",
        b"*a",
        b"!!str ",
        b"!x ",
        b"<<: ",
        b"? ",
        b": ",
        b"- ",
        b"\t",
        b"\n",
        b"\n  ",
        b"[",
        b"{",
        b"|\n",
    ),
    *(
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"'",
        b'"',
        b"#",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\x85",
        b"{{ ",
        b"}}",
    ),
    *(
        b"\xc1",
        b"\xc0",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 200,
        b"\xcb\x7f\xf8" + b"\0" * 6,
    ),
)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
seeds = st.integers(0, 2**64)


def choosing(seed: int) -> Any:
    return Random(seed).randrange


def examples_of_the_profile(count: int) -> int:
    """Return the count, or the number of the profile `fuzz` if that is in use."""
    return max(count, settings.default.max_examples if settings.default else 0)


@settings(deadline=None, max_examples=examples_of_the_profile(300), suppress_health_check=SLOW)
@given(st.sampled_from(DOCUMENTS + BROKEN) | flows(8), st.integers(1, 6), seeds)
def test_a_mutated_document_is_compiled_or_refused(document: Any, times: int, seed: int) -> None:
    mutated, choose = copy.deepcopy(document), choosing(seed)
    for _ in range(times):
        mutate(mutated, choose, DOCUMENTS)

    check_document(mutated)


@settings(deadline=None, max_examples=examples_of_the_profile(200), suppress_health_check=SLOW)
@given(st.sampled_from(YAML + BUNDLES), st.integers(1, 4), seeds)
def test_mutated_bytes_are_imported_or_refused(source: bytes, times: int, seed: int) -> None:
    choose = choosing(seed)
    for _ in range(times):
        source = mutate_bytes(source, choose, PARTS)

    check_source(source)
    check_source(source.decode(errors="replace"))


@settings(deadline=None, max_examples=examples_of_the_profile(200), suppress_health_check=SLOW)
@given(st.sampled_from(BUNDLES), st.integers(1, 4), seeds)
def test_a_mutated_module_is_imported_or_refused(bundle: bytes, times: int, seed: int) -> None:
    tree, choose = ormsgpack.unpackb(bundle[8:]), choosing(seed)
    for _ in range(times):
        mutate(tree, choose)
    try:
        packed = ormsgpack.packb(tree)
    except (TypeError, ValueError):
        return  # MessagePack has no such text.

    check_source(bundle[:8] + packed)


@settings(deadline=None, max_examples=examples_of_the_profile(200))
@given(st.sampled_from(TEMPLATES), st.integers(1, 6), seeds)
def test_a_mutated_expression_is_evaluated_or_refused(text: str, times: int, seed: int) -> None:
    choose = choosing(seed)
    parts = [each.encode() for each in TEMPLATES]
    data = text.encode()
    for _ in range(times):
        data = mutate_bytes(data, choose, parts)

    check_expression(data.decode(errors="replace"))


@pytest.mark.parametrize("document", BROKEN, ids=[rule.code for rule in RULES])
def test_the_example_of_a_diagnostic_is_answered(document: Any) -> None:
    check_document(orjson.loads(orjson.dumps(document)))


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_the_fuzzer_begins_with_sound_inputs(kind: Kind) -> None:
    of_the_kind = [start for start in starts() if start[0] == kind]

    assert of_the_kind
    for start in of_the_kind[:20]:
        check(start)
