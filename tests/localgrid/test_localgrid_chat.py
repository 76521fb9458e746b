"""Talking to a published Core: at ScaiGrid's own address, and at the one for clients of OpenAI."""

from typing import Any

import httpx
import pytest
from localgrid_ir import BROKEN, a_module, says, sets
from localgrid_people import manifest, waits
from localgrid_support import ECHO, SCAICORE, Caller, RunningGrid, error_of

from scaiflow_api.compiler.manifest.writer import emit_yaml

NATIVE = "/scaigrid/v1/inference/chat"
OPENAI = "/scaigrid/oai/v1/chat/completions"
SLUG = "scaicore/acme/echo-agent"
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


async def published(bob: Caller, text: str = ECHO, **body: Any) -> str:
    """Deploy, start and publish a Core; return its slug as a model."""
    core_id = await bob.running(text)
    answer = await bob("POST", f"{SCAICORE}/cores/{core_id}/publish", json=body)
    slug: str = answer.json()["data"]["metadata"]["published_slug"]
    return slug


async def chat(caller: Caller, model: str = SLUG, messages: Any = HELLO, **more: Any) -> httpx.Response:
    return await caller("POST", NATIVE, json={"model": model, "messages": messages, **more})


def said(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["data"]["choices"][0]["message"]["content"]
    return content


async def test_a_core_answers_at_both_addresses(grid: RunningGrid, bob: Caller) -> None:
    await published(bob)

    native = await chat(bob, temperature=0.2, max_tokens=5)
    openai = await bob("POST", OPENAI, json={"model": SLUG, "messages": HELLO, "user": "x"})

    data = native.json()["data"]
    assert data["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
    ]
    assert (data["object"], data["model"], data["created"]) == (
        "chat.completion",
        SLUG,
        int(grid.clock.now().timestamp()),
    )
    assert {**openai.json(), "id": None} == {**data, "id": None}


def hears(template: str) -> str:
    """Return the manifest of a Core that answers with a template."""
    return emit_yaml(a_module(sets("node_last", output={"response": template})))


@pytest.mark.parametrize(
    ("template", "messages", "expected"),
    [
        (
            "{{ message }}",
            [
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "yes?"},
                {"role": "user", "content": "last"},
                {"role": "assistant", "content": "well"},
            ],
            "last",
        ),
        (
            "{{ message }}",
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}],
            "a",
        ),
        (
            "{{ messages.length }} {{ messages[0].role }}",
            [{"role": "system", "content": "be kind"}, *HELLO],
            "2 system",
        ),
    ],
)
async def test_the_core_is_given_the_last_text_and_all_messages(
    bob: Caller, template: str, messages: list[dict[str, Any]], expected: str
) -> None:
    model = await published(bob, hears(template))

    assert said(await chat(bob, model, messages)) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("plain", "plain"),
        ({"response": "that"}, "that"),
        ({"response": 7}, '{"response":7}'),
        ([1], "[1]"),
        (None, ""),
    ],
)
async def test_what_a_core_gives_becomes_text(bob: Caller, output: Any, expected: str) -> None:
    model = await published(bob, emit_yaml(a_module(sets("node_last", output=output))))

    assert said(await chat(bob, model)) == expected


async def test_the_run_is_an_ordinary_one_and_belongs_to_its_entity(bob: Caller) -> None:
    await published(bob)

    answer = await chat(bob, metadata={"entity_id": "customer-7"})

    events = (await bob.events())["events"]
    assert events[0]["payload"]["instance_key"] == "customer-7"
    assert events[0]["payload"]["execution_id"] == answer.json()["data"]["id"]


async def test_who_may_talk_to_it(grid: RunningGrid, bob: Caller) -> None:
    await published(bob, group_ids=["grp_ops"])

    async def outcome(person: str) -> tuple[int, str | None]:
        answer = await chat(await grid.caller(person))
        return answer.status_code, None if answer.is_success else error_of(answer)["code"]

    assert await outcome("usr_alice") == (200, None)
    assert await outcome("usr_bob") == (403, "MODEL_ACCESS_DENIED")
    assert await outcome("usr_carol") == (403, "AUTHZ_PERMISSION_DENIED")
    assert await outcome("usr_dave") == (404, "MODEL_NOT_FOUND")


async def test_what_is_no_published_core_does_not_answer(bob: Caller) -> None:
    for model, status, code in (
        (SLUG, 404, "MODEL_NOT_FOUND"),
        ("nobody/knows", 404, "MODEL_NOT_FOUND"),
        ("openai/gpt-4o", 503, "MODEL_UNAVAILABLE"),
    ):
        answer = await chat(bob, model)
        assert (answer.status_code, error_of(answer)["code"]) == (status, code)


async def test_a_stopped_core_is_unavailable(bob: Caller) -> None:
    core_id = await bob.running(ECHO)
    for action in ("publish", "stop"):
        assert (await bob("POST", f"{SCAICORE}/cores/{core_id}/{action}")).status_code == 200

    answer = await chat(bob)

    assert (answer.status_code, error_of(answer)["code"]) == (503, "MODEL_UNAVAILABLE")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (emit_yaml(a_module(says("node_a", BROKEN))), "EVALUATION_ERROR: "),
        (manifest(waits(prompt="Well?")), "the run waits at the checkpoint "),
    ],
)
async def test_a_run_without_an_answer_is_the_backends_error(bob: Caller, text: str, told: str) -> None:
    answer = await chat(bob, await published(bob, text))

    assert (answer.status_code, error_of(answer)["code"]) == (502, "BACKEND_ERROR")
    assert error_of(answer)["message"].startswith(told)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": SLUG},
        {"messages": HELLO},
        {"model": SLUG, "messages": []},
        {"model": SLUG, "messages": [{"role": "assistant", "content": "x"}]},
        {"model": SLUG, "messages": [{"role": "user"}]},
        {"model": SLUG, "messages": [{"role": "user", "content": 7}]},
        {"model": SLUG, "messages": "hello"},
        {"model": SLUG, "messages": HELLO, "stream": True},
        {"model": SLUG, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    ],
)
@pytest.mark.parametrize("address", [NATIVE, OPENAI])
async def test_bad_requests_are_refused(bob: Caller, address: str, body: Any) -> None:
    await published(bob)

    answer = await bob("POST", address, json=body)

    assert (answer.status_code, error_of(answer)["code"]) == (422, "VALIDATION_ERROR")
