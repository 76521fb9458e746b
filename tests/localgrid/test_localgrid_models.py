"""Models: the offline one, endpoints of others, and the registry between roles and them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from localgrid_ir import ScriptedModels

from scaiflow_api.compiler.analysis.types import parse_type
from scaiflow_api.localgrid.models.offline import OfflineModel
from scaiflow_api.localgrid.models.openai import OpenAIModel
from scaiflow_api.localgrid.models.registry import RoleRegistry
from scaiflow_api.localgrid.runtime.model_calls import ModelChoice, ModelFailed, ModelRequest
from scaiflow_api.localgrid.runtime.types import coerce_fields

CHOICE = ModelChoice(
    ref="scaigrid", model="openai/gpt-4o", temperature=0.5, system_context="You work for Acme."
)


def a_request(output: Mapping[str, str] | None = None, **changed: Any) -> ModelRequest:
    fields: dict[str, Any] = {
        "goal": "Answer.",
        "inputs": {},
        "context": {},
        "run_input": {},
        "output_type": None if output is None else {name: parse_type(text) for name, text in output.items()},
    }
    return ModelRequest(**fields | changed)


async def offline(output: Mapping[str, str] | None = None, **changed: Any) -> Any:
    return await OfflineModel().complete(CHOICE, a_request(output, **changed))


# Offline

EVERY_TYPE = {
    "s": "string",
    "i": "int",
    "f": "float",
    "b": "bool",
    "m": "money",
    "e": "enum[a, b, c]",
    "free": "enum",
    "a": "array",
    "ai": "array<int>",
    "o": "object",
    "map": "map<string, string>",
    "maps": "map<string, array<bool>>",
    "opt": "string?",
    "d": "date",
    "dt": "datetime",
    "du": "duration",
    "mail": "email",
    "url": "url",
    "id": "uuid",
    "mine": "Invoice",
}


@pytest.mark.parametrize("inputs", [{}, {"text": "hello", "n": 1}])
async def test_every_declared_type_is_honoured(inputs: dict[str, Any]) -> None:
    answer = await offline(EVERY_TYPE, inputs=inputs)
    checked = coerce_fields(answer, {name: parse_type(text) for name, text in EVERY_TYPE.items()})

    assert checked == answer
    assert 0 <= answer["f"] <= 1
    assert answer["a"]
    assert answer["map"]


async def test_the_same_question_gets_the_same_answer() -> None:
    first, second = [await offline(EVERY_TYPE, inputs={"text": "hello"}) for _ in range(2)]

    assert first == second


@pytest.mark.parametrize("changed", [{"goal": "Other."}, {"inputs": {"text": "bye"}}, {"attempt": 1}])
async def test_another_question_gets_another_answer(changed: dict[str, Any]) -> None:
    asked = {"inputs": {"text": "hello"}, "output": {"f": "float"}}

    assert await offline(**asked) != await offline(**asked | changed)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"inputs": {"answer": "given"}}, "given"),
        ({"context": {"answer": "given"}}, "given"),
        ({"inputs": {"answer": ["a"]}}, '["a"]'),
        ({"inputs": {"answer": None, "message": "said"}}, "said"),
        ({"inputs": {"zeta": "z", "message": "said"}}, "said"),
        ({"inputs": {"zeta": "z", "beta": "b"}}, "b"),
        ({"inputs": {"message": {"text": "said"}}}, "said"),
        ({"inputs": {"n": 12}}, "12"),
        ({"run_input": {"message": "typed"}}, "typed"),
        ({"inputs": {"message": ""}, "run_input": {"message": "typed"}}, "typed"),
        ({}, "Answer."),
    ],
)
async def test_a_string_is_the_text_it_was_given(changed: dict[str, Any], expected: str) -> None:
    assert await offline({"answer": "string"}, **changed) == {"answer": expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I have a complaint", "complaint"),
        ("I complain loudly", "complaint"),
        ("Is this a question?", "question"),
        ("FEEDBACK for you", "feedback"),
        ("an urgent review, please", "needs_review"),
    ],
)
async def test_an_enum_is_the_choice_the_text_speaks_of(text: str, expected: str) -> None:
    answer = await offline(
        {"intent": "enum[question, complaint, feedback, needs_review]"}, inputs={"text": text}
    )

    assert answer == {"intent": expected}


async def test_an_enum_the_text_says_nothing_of_is_still_a_choice() -> None:
    choices = {(await offline({"e": "enum[a, b, c]"}, inputs={"text": f"~{i}"}))["e"] for i in range(40)}

    assert choices == {"a", "b", "c"}


async def test_other_fields_take_bindings_of_their_name() -> None:
    answer = await offline({"n": "int", "tags": "array<string>"}, inputs={"n": "12", "tags": ["x"]})

    assert answer == {"n": 12, "tags": ["x"]}


async def test_an_array_cites_the_list_it_was_given() -> None:
    assert await offline({"citations": "array"}, inputs={"docs": [1, 2, 3, 4]}) == {"citations": [1, 2, 3]}


# Registry

ENTRIES = (
    {
        "role": "primary",
        "ref": "scaigrid",
        "model": "openai/gpt-4o",
        "temperature": 0.1,
        "system_context": "s",
    },
    {
        "role": "fast",
        "ref": "scaigrid",
        "model": "openai/gpt-4o-mini",
        "fallback": [
            {"ref": "openai", "model": "gpt-3.5-turbo"},
            {"ref": "scaigrid", "model": "scailabs/omni"},
        ],
    },
    {"role": "misspelt", "ref": "scaigrid", "model": "openai/gtp-4o"},
    {
        "role": "saved",
        "ref": "scaigrid",
        "model": "openai/gtp-4o",
        "fallback": [{"ref": "openai", "model": "x"}],
    },
)
DOWN = ModelFailed("MODEL_UNAVAILABLE", "first down", unavailable=True)
TIMEOUT = ModelFailed("BACKEND_TIMEOUT", "second down", unavailable=True)
REFUSED = ModelFailed("MODEL_REFUSED", "no")


@pytest.mark.parametrize(
    ("role", "answers", "asked", "outcome"),
    [
        ("primary", ["ok"], ["scaigrid/openai/gpt-4o"], "ok"),
        ("", ["ok"], ["scaigrid/openai/gpt-4o"], "ok"),
        ("fast", [DOWN, "ok"], ["scaigrid/openai/gpt-4o-mini", "openai/gpt-3.5-turbo"], "ok"),
        (
            "fast",
            [DOWN, TIMEOUT],
            ["scaigrid/openai/gpt-4o-mini", "openai/gpt-3.5-turbo"],
            "MODEL_UNAVAILABLE",
        ),
        ("fast", [REFUSED, "ok"], ["scaigrid/openai/gpt-4o-mini"], "MODEL_REFUSED"),
        ("misspelt", ["ok"], [], "MODEL_NOT_FOUND"),
        ("saved", ["ok"], ["openai/x"], "ok"),
        ("unknown", ["ok"], [], "MODEL_NOT_FOUND"),
    ],
)
async def test_roles_find_their_model_and_its_fallbacks(
    role: str, answers: list[Any], asked: list[str], outcome: str
) -> None:
    provider = ScriptedModels(answers)
    registry = RoleRegistry(ENTRIES, provider, {"openai/gpt-4o", "openai/gpt-4o-mini"}.__contains__)
    try:
        result = await registry.complete(role, a_request())
    except ModelFailed as failed:
        result = failed.code

    assert (result, provider.asked) == (outcome, asked)


async def test_a_core_without_models_says_so() -> None:
    with pytest.raises(ModelFailed, match="not declared"):
        await RoleRegistry((), ScriptedModels(), lambda _: True).complete("", a_request())


# OpenAI-compatible endpoints


async def ask(
    respond: Callable[[httpx.Request], httpx.Response], request: ModelRequest, key: str | None = "sk-1"
) -> Any:
    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        return await OpenAIModel(client, "http://models.test/v1/", key).complete(CHOICE, request)


def says(content: Any, **message: Any) -> httpx.Response:
    return httpx.Response(
        200, json={"choices": [{"message": {"role": "assistant", "content": content, **message}}]}
    )


async def test_an_endpoint_is_asked_for_the_declared_output() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return says('{"intent": "question"}')

    request = a_request(
        {"intent": "enum[question, other]"},
        inputs={"text": "why?"},
        context={"c": 1},
        guidance="Be brief.",
        constraints={"never": ["swear"]},
        examples=({"input": "a", "output": "b"},),
        persona="Clerk",
    )
    assert await ask(respond, request) == {"intent": "question"}

    body = json.loads(seen[0].content)
    assert str(seen[0].url) == "http://models.test/v1/chat/completions"
    assert seen[0].headers["authorization"] == "Bearer sk-1"
    assert (body["model"], body["temperature"]) == ("openai/gpt-4o", 0.5)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["intent"]
    system, user = (message["content"] for message in body["messages"])
    for part in (
        "You work for Acme.",
        "Clerk",
        "Answer.",
        "Be brief.",
        "swear",
        "intent: enum[question, other]",
    ):
        assert part in system
    assert json.loads(user) == {"input": {"text": "why?"}, "context": {"c": 1}}


async def test_without_a_declared_output_text_is_asked_for() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert "response_format" not in json.loads(request.content)
        assert "authorization" not in request.headers
        return says("plain text")

    assert await ask(respond, a_request(run_input={"message": "x"}), key=None) == "plain text"


async def test_open_outputs_are_not_asked_for_strictly() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content)["response_format"]["json_schema"]["strict"] is False
        return says('{"m": {}}')

    assert await ask(respond, a_request({"m": "map<string, string>"})) == {"m": {}}


def raises(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def respond(_: httpx.Request) -> httpx.Response:
        raise error

    return respond


@pytest.mark.parametrize(
    ("respond", "code", "unavailable"),
    [
        (raises(httpx.ReadTimeout("slow")), "BACKEND_TIMEOUT", True),
        (raises(httpx.ConnectError("refused: http://secret.test")), "MODEL_UNAVAILABLE", True),
        (lambda _: httpx.Response(401, text="bad key sk-1"), "BACKEND_ERROR", True),
        (lambda _: httpx.Response(404), "MODEL_NOT_FOUND", True),
        (lambda _: httpx.Response(429), "BACKEND_RATE_LIMITED", True),
        (lambda _: httpx.Response(500, text="<html>"), "BACKEND_ERROR", True),
        (lambda _: httpx.Response(200, text="<html>"), "UPSTREAM_SHAPE_MISMATCH", False),
        (lambda _: httpx.Response(200, json={"choices": []}), "UPSTREAM_SHAPE_MISMATCH", False),
        (lambda _: httpx.Response(200, json=[1]), "UPSTREAM_SHAPE_MISMATCH", False),
        (lambda _: httpx.Response(200, content=b" " * 5_000_000), "UPSTREAM_SHAPE_MISMATCH", False),
        (lambda _: says(None), "UPSTREAM_SHAPE_MISMATCH", False),
        (lambda _: says(None, refusal="I cannot"), "MODEL_REFUSED", False),
        (lambda _: says("no json"), "OUTPUT_INVALID", False),
        (lambda _: says('{"n": NaN}'), "OUTPUT_INVALID", False),
        (lambda _: says("[" * 100_000), "OUTPUT_INVALID", False),
    ],
)
async def test_endpoint_failures_have_a_code_and_leak_nothing(
    respond: Callable[[httpx.Request], httpx.Response], code: str, unavailable: bool
) -> None:
    with pytest.raises(ModelFailed) as failed:
        await ask(respond, a_request({"n": "int"}))

    assert (failed.value.code, failed.value.unavailable) == (code, unavailable)
    assert "sk-1" not in failed.value.message
    assert "secret" not in failed.value.message
