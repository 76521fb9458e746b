"""The HTTP server, what it tells of itself, and who calls it."""

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import unquote

from pydantic import SecretStr, field_validator
from pydantic_settings import NoDecode

from scaiflow_api.settings.section import MIB, Section, split, variable


class Environment(StrEnum):
    """Where this process runs. Production refuses everything meant for development."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"


class Api(Section):
    """The HTTP server."""

    env: Environment = variable(
        "SCAIFLOW_ENV",
        Environment.PRODUCTION,
        "`production` or `development`; development switches refuse production",
    )
    host: str = variable("SCAIFLOW_API_HOST", "127.0.0.1", "bind address")
    port: int = variable("SCAIFLOW_API_PORT", 8001, "port", ge=0, le=65535)
    reload: bool = variable("SCAIFLOW_API_RELOAD", False, "restart when the code changes; development only")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = variable(
        "SCAIFLOW_CORS_ORIGINS",
        ("http://localhost:5173", "https://scaiflow.scailabs.ai"),
        "origins of the canvas, separated by commas",
    )
    require_if_match: bool = variable(
        "SCAIFLOW_REQUIRE_IF_MATCH",
        False,
        "true: changing or deleting a flow takes an `If-Match` header; 428 without it",
    )
    max_body_bytes: int = variable(
        "SCAIFLOW_MAX_BODY_BYTES", 8 * MIB, "largest request body; 413 above it", ge=1024
    )
    max_kept_answer_bytes: int = variable(
        "SCAIFLOW_IDEMPOTENCY_MAX_BYTES",
        8 * MIB,
        "largest answer kept for its `Idempotency-Key`; what was answered larger is answered 409 when asked again",
        ge=0,
        le=12 * MIB,
    )
    audit_denials_per_minute: int = variable(
        "SCAIFLOW_AUDIT_DENIALS_PER_MINUTE",
        30,
        "rows that the refusals of one caller may add to the audit log, per process; 0: none",
        ge=0,
    )
    sign_ins_per_minute: int = variable(
        "SCAIFLOW_SIGN_INS_PER_MINUTE",
        0,
        "requests per minute that one address may make to `POST /v1/auth/exchange` and `/refresh`; 429 "
        "`too_many_requests` above it; 0: any number. Counted in Redis with `SCAIFLOW_REDIS_URL`, else per process",
        ge=0,
        le=1_000_000,
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = variable(
        "SCAIFLOW_TRUSTED_PROXIES",
        (),
        "addresses or networks of proxies, separated by commas, whose `X-Forwarded-For` and `X-Forwarded-Proto` are "
        "believed; unset: nobody's are",
    )
    dev_token: SecretStr | None = variable(
        "SCAIFLOW_API_TOKEN",
        None,
        "shared bearer of the deprecated `POST /v1/dev/deploy` and of nothing else; unset: that address is off",
    )
    log_level: str = variable("SCAIFLOW_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")

    _lists = field_validator("cors_origins", "trusted_proxies", mode="before")(split)

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(
                    f"SCAIFLOW_TRUSTED_PROXIES: '{proxy}' is no address and no network"
                ) from None
        return proxies


class Observability(Section):
    """Traces go to an OpenTelemetry collector, if there is one; `/metrics` is always there."""

    otlp_endpoint: str | None = variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        None,
        "base URL of a collector that takes OTLP over HTTP, such as `http://localhost:4318`; unset: no traces",
        pattern=r"^https?://",
    )
    otlp_headers: SecretStr | None = variable(
        "OTEL_EXPORTER_OTLP_HEADERS", None, "headers for the collector: `name=value`, separated by commas"
    )
    service_name: str = variable("OTEL_SERVICE_NAME", "scaiflow-api", "what this process is called in traces")
    sample_ratio: float = variable(
        "SCAIFLOW_TRACE_RATIO", 1.0, "share of the traces begun here that are recorded, 0 to 1", ge=0, le=1
    )

    @property
    def headers(self) -> dict[str, str]:
        text = self.otlp_headers.get_secret_value() if self.otlp_headers else ""
        pairs = (part.partition("=") for part in text.split(",") if "=" in part)
        return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


class Client(Section):
    """What commands use that go through the API of a ScaiFlow, such as `scaiflow deploy --api URL`."""

    token: SecretStr | None = variable("SCAIFLOW_TOKEN", None, "access token; a server never reads it")
