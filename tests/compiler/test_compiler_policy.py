"""SF4xx: secrets in plain text are found, and never repeated; what looks like one only is left alone."""

from time import perf_counter
from typing import Any

import orjson
import pytest
from compiler_documents import a_flow, a_node, an_entry
from hypothesis import example, given
from hypothesis import strategies as st

from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import Diagnostic, Sink
from scaiflow_api.compiler.knowledge.secret_patterns import (
    looks_like_secret,
    marks_of_secrets,
    names_secret,
)
from scaiflow_api.compiler.rules import policy
from scaiflow_api.compiler.rules.policy import find_literal_secrets
from scaiflow_api.flowgraph import DEFAULT_LIMITS

SECRETS = [
    "sgk_live_0123456789abcdef",
    "Bearer sgk_0123456789ABCDEF",
    "sk-proj-abcdefghij0123456789ABCD",
    "sk-abcdefghij0123456789ABCD",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    "-----BEGIN PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3JfYWxpY2UifQ.c2lnbmF0dXJlLW9mLWl0",
    "postgresql://user:hunter2@db.example/app",
]
HARMLESS = [
    "sgk_...",
    "sgk_",
    "risk-assessment-of-a-very-long-name-indeed",
    "sk-learn",
    "task_force",
    "AKIA",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
    "eyJ.eyJ.x",
    "https://a.example:8443/x@y",
    "https://{{ user }}:{{ password }}@a.example",
    "core://acme/customer-lookup",
]


def found(kind: str, settings: dict[str, Any], **more: Any) -> list[Diagnostic]:
    document = a_flow([an_entry(), a_node("node_a", kind, config=settings)], ("entry", "node_a"), **more)
    sound = check_document(document, DEFAULT_LIMITS).sound
    view = sound and sound.view
    assert view is not None
    sink = Sink()
    policy.check(view, sink)
    policy.check_secrets(view, sink)
    return sink.ordered()


def codes(kind: str, config: dict[str, Any]) -> list[str]:
    return [item.code for item in found(kind, config)]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_found_anywhere_and_not_repeated(text: str) -> None:
    config = {"template": "x", "note": [{"deep": text}]}
    (item,) = found("llm_rigid", config)

    assert (item.code, item.severity, item.path) == ("SF420", "warning", "nodes[1].config.note[0].deep")
    assert item.node_id == "node_a"
    assert text not in str(item.as_dict())


@given(st.from_regex(r"://[^/\s:@{}]{1,128}:[^/\s@{}]{1,128}@"))
@example("://" + "\x01" * 128 + ":" + "\x02" * 128 + "@")
@example("://ü:" + "😀" * 128 + "@")
def test_the_first_look_misses_no_password_in_a_url(text: str) -> None:
    assert looks_like_secret(text)
    assert marks_of_secrets({"a": [text]})


def test_the_first_look_passes_over_urls_without_a_password() -> None:
    assert not marks_of_secrets(["https://a.example/x", "core://acme/customer", "mailto:a@b.example"])


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert not looks_like_secret(text)


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "db_password", "apiKey", "api-key", "X-Api-Key", "accessToken", "CLIENT_SECRET"],
)
def test_a_key_tells_that_its_value_is_a_secret(key: str) -> None:
    assert names_secret(key)
    assert codes("compute_exec", {"command": ["x"], "env": {key: "hunter2"}}) == ["SF420"]
    assert codes("compute_exec", {"command": ["x"], "env": {key: "{{ secret }}"}}) == []
    assert codes("compute_exec", {"command": ["x"], "env": {key: " "}}) == []


@pytest.mark.parametrize(
    "key", ["max_tokens", "next_token", "nextPageToken", "tokens", "passwords_seen", "secretary", "author"]
)
def test_a_key_that_only_sounds_alike_tells_nothing(key: str) -> None:
    assert not names_secret(key)


def test_the_type_of_a_field_is_no_secret() -> None:
    config = {"goal": "Go.", "output_schema": {"token": "string"}}

    assert codes("llm_flexible", config) == []


def test_the_input_of_a_fixture_may_have_fields_of_any_name() -> None:
    tests = [{"name": "t", "input": {"password": "hunter2"}, "expect": {}}]

    assert found("llm_rigid", {"template": "x"}, tests=tests) == []


def test_a_secret_in_a_fixture_or_in_the_flow_is_found_without_a_node() -> None:
    tests = [{"name": "t", "input": {"a": SECRETS[0]}, "expect": {}}]
    items = found(
        "llm_rigid", {"template": "x"}, tests=tests, config={"plugins": [{"alias": "a", "token": "t"}]}
    )

    assert [(item.path, item.node_id, item.message) for item in items] == [
        ("config.plugins[0].token", None, "the flow: config.plugins[0].token holds a secret"),
        ("tests[0].input.a", None, "the flow: tests[0].input.a holds a secret"),
    ]


@pytest.mark.parametrize("value", [{SECRETS[0]: 1}, {"a": {SECRETS[0]: {"b": SECRETS[1]}}}])
def test_a_secret_that_is_a_key_is_not_repeated_in_the_path(value: Any) -> None:
    items = found("llm_rigid", {"template": "x", "labels": value})

    assert [item.code for item in items] == ["SF420"]
    assert "sgk_" not in str([item.as_dict() for item in items])


def test_secrets_are_found_in_any_document() -> None:
    document = {
        "nodes": [{"id": "n", "config": {"a": SECRETS[0]}}, "x", {"label": SECRETS[1]}],
        "z": SECRETS[2],
    }

    assert find_literal_secrets(document) == [
        ("nodes[0].config.a", "n"),
        ("nodes[2].label", None),
        ("z", None),
    ]
    assert find_literal_secrets([SECRETS[0]]) == []
    assert find_literal_secrets({"nodes": {"a": SECRETS[0]}}) == [("nodes.a", None)]


@pytest.mark.parametrize(
    "unit", ["eyJ", "sk-", "-----BEGIN ", "://a:", "sgk_", "eyJaaaaaaaa.", "AKIA", "_- "]
)
def test_a_large_text_is_searched_in_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    start = perf_counter()

    looks_like_secret(text)
    names_secret(text)

    assert perf_counter() - start < 5


# Requests and commands


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Authorization": "Basic c2NhaQ=="}, ["SF410"]),
        ({"authorization": "x", "Proxy-Authorization": "y"}, ["SF410", "SF410"]),
        ({"Authorization": "Bearer {{ token }}"}, []),
        ({"Authorization": r"Bearer \{{ token }}"}, ["SF410"]),
        ({"X-Authorization-Mode": "none"}, []),
    ],
)
def test_an_authorization_header_that_is_written_out_is_reported(
    headers: dict[str, str], expected: list[str]
) -> None:
    assert codes("tool_http", {"url": "https://a.example", "headers": headers}) == expected
    call = {"plugin": "http", "method": "request", "args": {"headers": headers}}
    assert codes("tool_plugin", call) == expected
    assert codes("tool_plugin", {**call, "plugin": "web"}) == []


@pytest.mark.parametrize("secret", ["erp/token", "token", "a.b/c_d-e@f+g", "..a/b", "...", "A/1"])
def test_a_secret_is_named_by_a_relative_path(secret: str) -> None:
    assert (
        codes("tool_http", {"url": "https://a.example", "auth": {"type": "bearer", "secret": secret}}) == []
    )


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "/erp/token",
        "erp/",
        "erp//token",
        "..",
        "../erp",
        "erp/../../admin",
        "./erp",
        "{{ which }}",
        "erp/{{ which }}",
        "erp token",
        "erp\\token",
        "erp%2ftoken",
        "vault://erp",
        "erp\n",
    ],
)
def test_anything_else_names_no_secret(secret: str) -> None:
    auth = {"type": "bearer", "secret": secret}
    (item,) = found("tool_http", {"url": "https://a.example", "auth": auth})

    assert (item.code, item.severity, item.path) == ("SF411", "error", "nodes[1].config.auth.secret")
    (item,) = found("tool_plugin", {"plugin": "http", "method": "request", "args": {"auth": auth}})
    assert (item.code, item.path) == ("SF411", "nodes[1].config.args.auth.secret")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ls -l", []),
        ("ls {{ path }}", ["SF412"]),
        ("ls {{ path", ["SF412"]),
        (r"echo \{{", []),
        (["ls", "{{ path }}"], []),
        (["sh", "-c", "ls {{ path }}"], []),
    ],
)
def test_a_command_for_the_shell_may_hold_no_template(command: Any, expected: list[str]) -> None:
    assert codes("compute_exec", {"command": command}) == expected
    call = {"plugin": "scaibunker", "method": "exec", "args": {"command": command}}
    assert codes("tool_plugin", call) == expected


def test_a_broken_configuration_is_looked_through_all_the_same() -> None:
    assert codes("tool_http", {"headers": {"Authorization": "x"}, "auth": {"secret": 3}}) == [
        "SF411",
        "SF410",
    ]
    assert codes("tool_http", {"headers": ["Authorization"], "auth": "x"}) == []


def test_a_document_of_the_largest_size_is_looked_through_quickly() -> None:
    document = {"nodes": [{"id": f"n{i}", "config": {"a": ["x" * 100] * 10}} for i in range(5000)]}
    assert len(orjson.dumps(document)) > 5_000_000
    start = perf_counter()

    assert find_literal_secrets(document) == []
    assert perf_counter() - start < 5
