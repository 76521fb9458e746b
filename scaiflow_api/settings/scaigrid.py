"""The platform that runs flows."""

import ssl
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr, field_validator

from scaiflow_api.settings.section import MIB, Section, callable_address, variable


class DeployAuth(StrEnum):
    """Pins one kind of ScaiGrid credential (`SCAIFLOW_DEPLOY_AUTH`)."""

    USER_JWT = "user_jwt"
    API_KEY = "api_key"


class ScaiGrid(Section):
    """The platform that runs compiled flows."""

    base_url: str | None = variable("SCAIGRID_BASE_URL", None, "ScaiGrid base URL")
    api_key: SecretStr | None = variable(
        "SCAIGRID_API_KEY", None, "ScaiGrid key of last resort; development only"
    )
    deploy_auth: DeployAuth | None = variable(
        "SCAIFLOW_DEPLOY_AUTH",
        None,
        "`user_jwt` or `api_key` pins the credential; unset: JWT first, then key",
    )
    allow_http: bool = variable(
        "SCAIFLOW_TENANT_GRID_HTTP",
        False,
        "true: a tenant's own ScaiGrid may have an `http` address; in production it must be a public one even so",
    )
    ca_file: Path | None = variable(
        "SCAIFLOW_CA_FILE",
        None,
        "PEM file of certificate authorities that are trusted besides the public ones, by calls of other systems and "
        "by commands with `--api`",
    )
    timeout_s: float = variable(
        "SCAIFLOW_UPSTREAM_TIMEOUT_S",
        10.0,
        "seconds for one upstream call, all attempts together",
        gt=0,
        le=300,
    )
    max_answer_bytes: int = variable(
        "SCAIFLOW_UPSTREAM_MAX_BYTES", 16 * MIB, "largest upstream answer read", ge=1024
    )
    max_rows: int = variable(
        "SCAIFLOW_UPSTREAM_MAX_ROWS",
        10_000,
        "rows of all pages of a list of ScaiGrid, ScaiQueue or ScaiBunker; a longer one is 502",
        ge=100,
    )
    connections: int = variable(
        "SCAIFLOW_UPSTREAM_CONNECTIONS",
        200,
        "connections per process to each of ScaiGrid, tenants' own ScaiGrids, ScaiKey and ScaiVault",
        ge=1,
        le=10_000,
    )
    connections_per_tenant: int = variable(
        "SCAIFLOW_UPSTREAM_CONNECTIONS_PER_TENANT",
        50,
        "how many of them one tenant may have; what is more waits 2 s, then it is 502",
        ge=1,
        le=10_000,
    )
    breaker_failures: int = variable(
        "SCAIFLOW_BREAKER_FAILURES",
        5,
        "calls that fail in a row until an upstream is left alone, counted per system, address and tenant; 0: never",
        ge=0,
        le=1000,
    )
    breaker_cooldown_s: float = variable(
        "SCAIFLOW_BREAKER_COOLDOWN_S",
        15.0,
        "seconds for which it is left alone; then one call tries it",
        gt=0,
        le=3600,
        allow_inf_nan=False,
    )
    lookup_cache_s: float = variable(
        "SCAIFLOW_LOOKUP_CACHE_S",
        5.0,
        "seconds for which a list of scopes, queues, bunkers or models is kept for its caller; 0: not at all",
        ge=0,
        le=300,
        allow_inf_nan=False,
    )
    lookup_cache_bytes: int = variable(
        "SCAIFLOW_LOOKUP_CACHE_BYTES", 16 * MIB, "memory per process for such lists", ge=0
    )
    invoke_timeout_s: float = variable(
        "SCAIFLOW_INVOKE_TIMEOUT_S", 120.0, "seconds for one invocation of a Core", gt=0
    )
    stream_poll_s: float = variable(
        "SCAIFLOW_STREAM_POLL_S",
        1.0,
        "seconds between two looks for new events of a stream; up to five times as many while nothing happens",
        gt=0,
        le=60,
    )
    max_streams: int = variable(
        "SCAIFLOW_MAX_STREAMS", 200, "streams of events per process; 429 above it", ge=0
    )
    start_timeout_s: float = variable(
        "SCAIFLOW_START_TIMEOUT_S", 30.0, "seconds a deployed Core may take to run", gt=0
    )
    max_queues: int = variable(
        "SCAIFLOW_DEPLOY_MAX_QUEUES",
        100,
        "queues that a deploy sets up for one flow; above it 502 `scaiqueue_provision_failed`",
        ge=1,
        le=10_000,
    )
    test_concurrency: int = variable(
        "SCAIFLOW_TEST_CONCURRENCY", 4, "fixtures of one test run at a time", ge=1, le=64
    )
    test_timeout_s: float = variable("SCAIFLOW_TEST_TIMEOUT_S", 60.0, "seconds for one fixture", gt=0)
    test_events_wait_s: float = variable(
        "SCAIFLOW_TEST_EVENTS_WAIT_S",
        2.0,
        "seconds that a test run waits for its last events when all fixtures are done, for their coverage",
        ge=0,
    )
    busy_wait_s: float = variable(
        "SCAIFLOW_BUSY_WAIT_S",
        120.0,
        "seconds that `scaiflow deploy` and `scaiflow test` wait, for one call, where ScaiGrid limits the rate;"
        " the API never waits",
        ge=0,
    )

    _address = field_validator("base_url")(callable_address)

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, file: Path | None) -> Path | None:
        if file is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
            except OSError as error:
                raise ValueError(f"no file of certificates that can be read ({error.strerror})") from None
        return file
