"""Secrets never reach a log or a printed setting."""

import io
import json
import logging
import time

import pytest
import structlog
from pydantic import SecretStr

from scaiflow_api.kit.logging import SCRUBBED, configure_logging, scrub
from scaiflow_api.settings import Database, Live, ScaiGrid, ScaiKey, Settings

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {JWT}",
        f"token={JWT} was refused",
        f"{JWT} {JWT}",
        f"at\\n{JWT}",
        f"the.first.{JWT}.the.last",
        "key sgk_0123456789abcdef0123456789abcdef",
        "key 'sgk_0123-4567.89+ab/cd=hunter2' is not known",
        '{"key":"sgk_0123~hunter2"}',
        "vault token skt_0123-hunter2",
        "postgresql://scaiflow:hunter2@db/scaiflow",
        "redis://:hunter2@cache:6379/0",
    ],
)
def test_what_looks_like_a_secret_is_scrubbed_from_text(text: str) -> None:
    cleaned = scrub(text)

    assert SCRUBBED in cleaned
    assert not any(secret in cleaned for secret in (JWT, "sgk_0123", "skt_0123", "hunter2"))


@pytest.mark.parametrize("text", ["eyJ" * 50_000, "eyJ" * 25_000 + "." + "eyJ" * 25_000, "eyJaaaa." * 20_000])
def test_no_text_is_read_over_and_over(text: str) -> None:
    """A path is logged whoever asks for it; the first of these took 15 s, during which nobody else was served."""
    started = time.process_time()
    scrub(text)
    assert time.process_time() - started < 1


def test_what_follows_a_secret_stays() -> None:
    assert scrub('{"key":"sgk_0123~x","status":403}') == '{"key":"[scrubbed]","status":403}'


@pytest.mark.parametrize(
    "name", ["Authorization", "client_secret", "refresh_token", "api_key", "password", "code_verifier"]
)
def test_what_is_named_like_a_secret_is_scrubbed(name: str) -> None:
    assert scrub({"outer": [{name: "value", "kept": 1}]}) == {"outer": [{name: SCRUBBED, "kept": 1}]}


def test_a_log_line_is_one_json_object_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("INFO")
    try:
        with structlog.contextvars.bound_contextvars(request_id="req-1"):
            structlog.get_logger("x").info("called", authorization=f"Bearer {JWT}", note=f"sent {JWT}")
            logging.getLogger("foreign").warning("refused %s", JWT)
            try:
                raise ValueError(JWT)
            except ValueError as error:
                structlog.get_logger("x").exception("failed", exc_info=error)
    finally:
        configure_logging("CRITICAL")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"].split()[0] for line in lines] == ["called", "refused", "failed"]
    assert all(line["request_id"] == "req-1" and line["timestamp"] and line["level"] for line in lines)
    assert JWT not in stream.getvalue()


def test_printed_settings_hold_no_secret() -> None:
    settings = Settings(
        database=Database(url=SecretStr("postgresql+asyncpg://u:hunter2@db/x")),
        live=Live(redis_url=SecretStr("redis://:hunter2@cache:6379/0")),
        scaikey=ScaiKey(client_secret=SecretStr("hunter2")),
        scaigrid=ScaiGrid(api_key=SecretStr("hunter2")),
    )

    assert "hunter2" not in repr(settings) + str(settings) + str(settings.model_dump())
