"""The examples in the documentation are true."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scaiflow_api.expressions import EvaluationError, evaluate, parse, parse_template, render

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def examples(kind: str) -> list[list[str]]:
    return [re.split(r"\s+-> ", line, maxsplit=1) for block in blocks(kind) for line in block.splitlines()]


SCOPE: dict[str, Any] = json.loads(blocks("json scope")[0])


def test_the_page_has_its_examples() -> None:
    assert len(examples("examples")) >= 25
    assert len(examples("templates")) >= 6


@pytest.mark.parametrize(("text", "expected"), examples("examples"))
def test_an_expression_of_the_page_has_the_result_shown(text: str, expected: str) -> None:
    if expected.startswith("error"):
        with pytest.raises(EvaluationError) as caught:
            evaluate(parse(text), SCOPE)
        assert expected in {"error", f"error: {caught.value.message}"}
    else:
        assert repr(evaluate(parse(text), SCOPE)) == repr(json.loads(expected))


@pytest.mark.parametrize(("text", "expected"), examples("templates"))
def test_a_template_of_the_page_has_the_result_shown(text: str, expected: str) -> None:
    assert repr(render(parse_template(text), SCOPE)) == repr(json.loads(expected))
