"""Every environment variable the API reads, one section per concern. Nothing else reads the environment.

Sources, weakest first: `/etc/scaiflow/api.env`, `./.env`, `apps/api/.env`, the file named by
`SCAIFLOW_ENV_FILE`, the process environment.
"""

import base64
import binascii
import re
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any, Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from scaiflow_api.kit.env_files import env_files
from scaiflow_api.kit.loopback import LOOPBACK

MIB = 1024 * 1024


class Environment(StrEnum):
    """Where this process runs. Production refuses everything meant for development."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"


class DeployAuth(StrEnum):
    """Pins one kind of ScaiGrid credential (`SCAIFLOW_DEPLOY_AUTH`)."""

    USER_JWT = "user_jwt"
    API_KEY = "api_key"


def _env(name: str, default: Any, description: str, **rules: Any) -> Any:
    return Field(default=default, validation_alias=name, description=description, **rules)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _grant(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([^/=]+)/([^/=]+)=(tenant_admin|super_admin)", text)
    if found is None:
        raise ValueError(
            f"SCAIFLOW_BOOTSTRAP_ADMINS: '{text}' is not TENANT/USER=tenant_admin or =super_admin"
        )
    return found[1], found[2], found[3]


def _secret_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("SCAIFLOW_SECRETS_KEY: each key is the base64 of 32 random bytes")
    return key


class Section(BaseSettings):
    """A group of settings; empty variables count as unset."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        env_file_encoding="utf-8",
        # Code may pass fields by their names. The environment may not: a `PORT` or `URL` that is meant for
        # somebody else would be read. No variable can have a name with this prefix.
        populate_by_name=True,
        env_prefix="\0",
    )


class Api(Section):
    """The HTTP server."""

    env: Environment = _env(
        "SCAIFLOW_ENV",
        Environment.PRODUCTION,
        "`production` or `development`; development switches refuse production",
    )
    host: str = _env("SCAIFLOW_API_HOST", "127.0.0.1", "bind address")
    port: int = _env("SCAIFLOW_API_PORT", 8001, "port", ge=0, le=65535)
    reload: bool = _env("SCAIFLOW_API_RELOAD", False, "restart when the code changes; development only")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = _env(
        "SCAIFLOW_CORS_ORIGINS",
        ("http://localhost:5173", "https://scaiflow.scailabs.ai"),
        "origins of the canvas, separated by commas",
    )
    require_if_match: bool = _env(
        "SCAIFLOW_REQUIRE_IF_MATCH",
        False,
        "true: changing or deleting a flow takes an `If-Match` header; 428 without it",
    )
    max_body_bytes: int = _env(
        "SCAIFLOW_MAX_BODY_BYTES", 8 * MIB, "largest request body; 413 above it", ge=1024
    )
    max_kept_answer_bytes: int = _env(
        "SCAIFLOW_IDEMPOTENCY_MAX_BYTES",
        8 * MIB,
        "largest answer kept for its `Idempotency-Key`; what was answered larger is answered 409 when asked again",
        ge=0,
        le=12 * MIB,
    )
    audit_denials_per_minute: int = _env(
        "SCAIFLOW_AUDIT_DENIALS_PER_MINUTE",
        30,
        "rows that the refusals of one caller may add to the audit log, per process; 0: none",
        ge=0,
    )
    sign_ins_per_minute: int = _env(
        "SCAIFLOW_SIGN_INS_PER_MINUTE",
        0,
        "requests per minute that one address may make to `POST /v1/auth/exchange` and `/refresh`; 429 "
        "`too_many_requests` above it; 0: any number. Counted in Redis with `SCAIFLOW_REDIS_URL`, else per process",
        ge=0,
        le=1_000_000,
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = _env(
        "SCAIFLOW_TRUSTED_PROXIES",
        (),
        "addresses or networks of proxies, separated by commas, whose `X-Forwarded-For` and `X-Forwarded-Proto` are "
        "believed; unset: nobody's are",
    )
    dev_token: SecretStr | None = _env(
        "SCAIFLOW_API_TOKEN",
        None,
        "shared bearer of the deprecated `POST /v1/dev/deploy` and of nothing else; unset: that address is off",
    )
    log_level: str = _env("SCAIFLOW_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")

    _lists = field_validator("cors_origins", "trusted_proxies", mode="before")(_split)

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


class Database(Section):
    """Where rows are kept."""

    url: SecretStr = _env(
        "SCAIFLOW_DB_URL",
        SecretStr("sqlite+aiosqlite:///./scaiflow.db"),
        "SQLAlchemy async URL: sqlite+aiosqlite, postgresql+asyncpg or mysql+asyncmy",
    )
    skip_create_all: bool = _env(
        "SCAIFLOW_SKIP_CREATE_ALL",
        False,
        "true: the schema is only changed by `scaiflow migrate`; false: it is brought up to date at start",
    )
    pool_size: int = _env(
        "SCAIFLOW_DB_POOL_SIZE",
        10,
        "connections per process for reading, and as many for writing",
        ge=1,
        le=200,
    )
    timeout_s: float = _env(
        "SCAIFLOW_DB_TIMEOUT_S",
        30.0,
        "seconds for one transaction, waiting for its turn included; then 503 `database_unavailable`",
        gt=0,
        le=600,
    )


class Store(Section):
    """Where flow documents are kept."""

    url: str = _env(
        "SCAIFLOW_STORE_URL",
        "file:./blobs",
        "`file:PATH`, `s3://BUCKET?endpoint=URL&region=NAME` or `memory:`",
    )
    cache_bytes: int = _env(
        "SCAIFLOW_STORE_CACHE_BYTES", 32 * MIB, "memory per process for documents read last; 0: none", ge=0
    )
    s3_access_key: SecretStr | None = _env("SCAIFLOW_S3_ACCESS_KEY", None, "S3 access key")
    s3_secret_key: SecretStr | None = _env("SCAIFLOW_S3_SECRET_KEY", None, "S3 secret key")


class Live(Section):
    """What is kept, and told, for a moment only: who has a flow open, and that a draft has changed."""

    redis_url: SecretStr | None = _env(
        "SCAIFLOW_REDIS_URL",
        None,
        "`redis://[[USER]:PASSWORD@]HOST:PORT/NUMBER`, `rediss://` with TLS. Needed as soon as there are several API "
        "processes; unset: kept in this process",
    )


class Sync(Section):
    """Editing together: the drafts of flows, and the sockets through which they change."""

    max_message_bytes: int = _env(
        "SCAIFLOW_SYNC_MAX_MESSAGE_BYTES",
        8 * MIB,
        "largest message of a socket; closed with 4413 above it",
        ge=1024,
        le=64 * MIB,
    )
    max_document_bytes: int = _env(
        "SCAIFLOW_SYNC_MAX_DOCUMENT_BYTES",
        16 * MIB,
        "largest draft, with what is left of its history; a change beyond it closes its socket with 4413",
        ge=1024,
        le=256 * MIB,
    )
    max_awareness_bytes: int = _env(
        "SCAIFLOW_SYNC_MAX_AWARENESS_BYTES",
        64 * 1024,
        "largest message about who is where; closed with 4413 above it",
        ge=1024,
    )
    max_peers: int = _env(
        "SCAIFLOW_SYNC_MAX_PEERS",
        64,
        "sockets on one draft, per process; one more is closed with 4529",
        ge=1,
    )
    opening_timeout_s: float = _env(
        "SCAIFLOW_SYNC_OPENING_TIMEOUT_S",
        8.0,
        "seconds in which a socket must be authenticated and have told what it has; closed with 1013 after them",
        gt=0,
    )
    max_outbound_bytes: int = _env(
        "SCAIFLOW_SYNC_MAX_OUTBOUND_BYTES",
        8 * MIB,
        "what may wait for a slow reader, beyond the draft it began with; closed with 1013 above it",
        ge=1024,
    )
    idle_s: float = _env(
        "SCAIFLOW_SYNC_IDLE_S", 60.0, "seconds for which a draft stays loaded when nobody has it open", ge=0
    )
    poll_s: float = _env(
        "SCAIFLOW_SYNC_POLL_S",
        2.0,
        "seconds between two looks at what other processes wrote, and at who may still be there",
        gt=0,
        le=5,
    )
    merge_after: int = _env(
        "SCAIFLOW_SYNC_MERGE_AFTER", 500, "changes after which a draft's log is merged into one entry", ge=2
    )
    findings_delay_s: float = _env(
        "SCAIFLOW_SYNC_FINDINGS_DELAY_S", 0.5, "seconds from a change to the validation of the draft", ge=0
    )


class Observability(Section):
    """Traces go to an OpenTelemetry collector, if there is one; `/metrics` is always there."""

    otlp_endpoint: str | None = _env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        None,
        "base URL of a collector that takes OTLP over HTTP, such as `http://localhost:4318`; unset: no traces",
        pattern=r"^https?://",
    )
    otlp_headers: SecretStr | None = _env(
        "OTEL_EXPORTER_OTLP_HEADERS", None, "headers for the collector: `name=value`, separated by commas"
    )
    service_name: str = _env("OTEL_SERVICE_NAME", "scaiflow-api", "what this process is called in traces")
    sample_ratio: float = _env(
        "SCAIFLOW_TRACE_RATIO", 1.0, "share of the traces begun here that are recorded, 0 to 1", ge=0, le=1
    )

    @property
    def headers(self) -> dict[str, str]:
        text = self.otlp_headers.get_secret_value() if self.otlp_headers else ""
        pairs = (part.partition("=") for part in text.split(",") if "=" in part)
        return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


class Housekeeping(Section):
    """What `scaiflow gc` may remove."""

    grace_s: int = _env(
        "SCAIFLOW_GC_GRACE_S",
        86_400,
        "seconds for which an object without a row is left alone: its row may be on the way",
        ge=600,
    )


class ScaiKey(Section):
    """The identity provider."""

    base_url: str | None = _env("SCAIKEY_BASE_URL", None, "ScaiKey base URL; unset: nobody can sign in")
    audience: Annotated[tuple[str, ...], NoDecode] = _env(
        "SCAIKEY_AUDIENCE", (), "accepted `aud` values, separated by commas; unset: the client id"
    )
    client_id: str | None = _env(
        "SCAIFLOW_SCAIKEY_CLIENT_ID", None, "OIDC client id, shared by canvas and API"
    )
    client_secret: SecretStr | None = _env(
        "SCAIFLOW_SCAIKEY_CLIENT_SECRET", None, "OIDC client secret, server side only"
    )
    application_id: str = _env(
        "SCAIFLOW_SCAIKEY_APPLICATION_ID",
        "me",
        "ScaiKey application whose users are mirrored; `me`: the one of the client id",
    )
    webhook_secret: SecretStr | None = _env(
        "SCAIFLOW_SCAIKEY_WEBHOOK_SECRET",
        None,
        "secret that ScaiKey signs its webhooks with; unset: `POST /v1/webhooks/scaikey` answers 503",
    )
    webhook_max_bytes: int = _env(
        "SCAIFLOW_WEBHOOK_MAX_BYTES", MIB, "largest webhook body; 413 above it", ge=1024
    )
    redirect_uri: str = _env(
        "SCAIFLOW_SCAIKEY_REDIRECT_URI",
        "http://localhost:5173/auth/callback",
        "where ScaiKey sends the browser back",
    )
    auth_disabled: bool = _env(
        "SCAIFLOW_AUTH_DISABLED",
        False,
        "development: every request is one fixed principal; refused in production",
    )

    _audience = field_validator("audience", mode="before")(_split)

    @property
    def audiences(self) -> tuple[str, ...]:
        """The `aud` values a token may carry."""
        return self.audience or ((self.client_id,) if self.client_id else ())


class Directory(Section):
    """The mirror of ScaiKey's people and groups."""

    sync_interval_minutes: float = _env(
        "SCAIFLOW_SYNC_INTERVAL_MINUTES",
        60,
        "minutes between two syncs with ScaiKey; 0: only when asked for",
        ge=0,
        le=10_080,
        allow_inf_nan=False,
    )
    super_admin_groups: Annotated[tuple[str, ...], NoDecode] = _env(
        "SCAIFLOW_SUPER_ADMIN_GROUPS",
        (),
        "groups whose members are super_admin, separated by commas: ids, or names within the platform tenant",
    )
    platform_tenant: str | None = _env(
        "SCAIFLOW_PLATFORM_TENANT",
        None,
        "the operator's own tenant; unset: `SCAIFLOW_SUPER_ADMIN_GROUPS` matches ids only",
    )

    _groups = field_validator("super_admin_groups", mode="before")(_split)


class ScaiGrid(Section):
    """The platform that runs compiled flows."""

    base_url: str | None = _env("SCAIGRID_BASE_URL", None, "ScaiGrid base URL")
    api_key: SecretStr | None = _env(
        "SCAIGRID_API_KEY", None, "ScaiGrid key of last resort; development only"
    )
    deploy_auth: DeployAuth | None = _env(
        "SCAIFLOW_DEPLOY_AUTH",
        None,
        "`user_jwt` or `api_key` pins the credential; unset: JWT first, then key",
    )
    allow_http: bool = _env(
        "SCAIFLOW_TENANT_GRID_HTTP",
        False,
        "true: a tenant's own ScaiGrid may have an `http` address; in production it must be a public one even so",
    )
    timeout_s: float = _env(
        "SCAIFLOW_UPSTREAM_TIMEOUT_S",
        10.0,
        "seconds for one upstream call, all attempts together",
        gt=0,
        le=300,
    )
    max_answer_bytes: int = _env(
        "SCAIFLOW_UPSTREAM_MAX_BYTES", 16 * MIB, "largest upstream answer read", ge=1024
    )
    max_rows: int = _env(
        "SCAIFLOW_UPSTREAM_MAX_ROWS",
        10_000,
        "rows of all pages of a list of ScaiGrid, ScaiQueue or ScaiBunker; a longer one is 502",
        ge=100,
    )
    connections: int = _env(
        "SCAIFLOW_UPSTREAM_CONNECTIONS",
        200,
        "connections per process to each of ScaiGrid, tenants' own ScaiGrids, ScaiKey and ScaiVault",
        ge=1,
        le=10_000,
    )
    connections_per_tenant: int = _env(
        "SCAIFLOW_UPSTREAM_CONNECTIONS_PER_TENANT",
        50,
        "how many of them one tenant may have; what is more waits 2 s, then it is 502",
        ge=1,
        le=10_000,
    )
    breaker_failures: int = _env(
        "SCAIFLOW_BREAKER_FAILURES",
        5,
        "calls that fail in a row until an upstream is left alone, counted per system, address and tenant; 0: never",
        ge=0,
        le=1000,
    )
    breaker_cooldown_s: float = _env(
        "SCAIFLOW_BREAKER_COOLDOWN_S",
        15.0,
        "seconds for which it is left alone; then one call tries it",
        gt=0,
        le=3600,
        allow_inf_nan=False,
    )
    lookup_cache_s: float = _env(
        "SCAIFLOW_LOOKUP_CACHE_S",
        5.0,
        "seconds for which a list of scopes, queues, bunkers or models is kept for its caller; 0: not at all",
        ge=0,
        le=300,
        allow_inf_nan=False,
    )
    lookup_cache_bytes: int = _env(
        "SCAIFLOW_LOOKUP_CACHE_BYTES", 16 * MIB, "memory per process for such lists", ge=0
    )
    invoke_timeout_s: float = _env(
        "SCAIFLOW_INVOKE_TIMEOUT_S", 120.0, "seconds for one invocation of a Core", gt=0
    )
    stream_poll_s: float = _env(
        "SCAIFLOW_STREAM_POLL_S", 1.0, "seconds between two looks for new events of a stream", gt=0, le=60
    )
    max_streams: int = _env("SCAIFLOW_MAX_STREAMS", 200, "streams of events per process; 429 above it", ge=0)
    start_timeout_s: float = _env(
        "SCAIFLOW_START_TIMEOUT_S", 30.0, "seconds a deployed Core may take to run", gt=0
    )
    max_queues: int = _env(
        "SCAIFLOW_DEPLOY_MAX_QUEUES",
        100,
        "queues that a deploy sets up for one flow; above it 502 `scaiqueue_provision_failed`",
        ge=1,
        le=10_000,
    )
    test_concurrency: int = _env(
        "SCAIFLOW_TEST_CONCURRENCY", 4, "fixtures of one test run at a time", ge=1, le=64
    )
    test_timeout_s: float = _env("SCAIFLOW_TEST_TIMEOUT_S", 60.0, "seconds for one fixture", gt=0)
    test_events_wait_s: float = _env(
        "SCAIFLOW_TEST_EVENTS_WAIT_S",
        2.0,
        "seconds that a test run waits for its last events when all fixtures are done, for their coverage",
        ge=0,
    )
    test_busy_wait_s: float = _env(
        "SCAIFLOW_TEST_BUSY_WAIT_S",
        120.0,
        "seconds that `scaiflow test` waits, for one call, where ScaiGrid limits the rate; the API never waits",
        ge=0,
    )


class Secrets(Section):
    """Where the ScaiGrid keys of tenants are kept: in ScaiVault, else encrypted in the database."""

    vault_url: str | None = _env(
        "SCAIVAULT_BASE_URL",
        None,
        "ScaiVault base URL, asked with the token of the ScaiKey client; unset: the database, if there is a key",
    )
    key: SecretStr | None = _env(
        "SCAIFLOW_SECRETS_KEY",
        None,
        "base64 of 32 random bytes, for keeping secrets in the database; several separated by commas: the first "
        "encrypts, all decrypt",
    )

    @property
    def keys(self) -> list[bytes]:
        """The keys themselves, 32 bytes each."""
        return [_secret_key(part) for part in self.key.get_secret_value().split(",")] if self.key else []

    @field_validator("key")
    @classmethod
    def _readable(cls, key: SecretStr | None) -> SecretStr | None:
        for part in key.get_secret_value().split(",") if key else ():
            _secret_key(part)
        return key


class Bootstrap(Section):
    """Who is an administrator from the start, before anybody can grant a role."""

    admins: Annotated[tuple[str, ...], NoDecode] = _env(
        "SCAIFLOW_BOOTSTRAP_ADMINS",
        (),
        "`TENANT/USER=ROLE`, separated by commas; ROLE is tenant_admin or super_admin. Granted at every start",
    )

    _admins = field_validator("admins", mode="before")(_split)

    @property
    def grants(self) -> list[tuple[str, str, str]]:
        """Tenant id, user id and role of each."""
        return [_grant(admin) for admin in self.admins]

    @field_validator("admins")
    @classmethod
    def _readable(cls, admins: tuple[str, ...]) -> tuple[str, ...]:
        for admin in admins:
            _grant(admin)
        return admins


class FlowLimits(Section):
    """How large a flow may be; 413 `flow_too_large` above it."""

    max_bytes: int = _env("SCAIFLOW_MAX_FLOW_BYTES", 5 * MIB, "bytes of a flow's canonical JSON", ge=1024)
    max_nodes: int = _env("SCAIFLOW_MAX_FLOW_NODES", 5_000, "nodes of a flow", ge=1)
    max_edges: int = _env("SCAIFLOW_MAX_FLOW_EDGES", 20_000, "edges of a flow", ge=1)
    max_nesting: int = _env("SCAIFLOW_MAX_FLOW_NESTING", 64, "nesting of a flow's JSON", ge=8, le=200)
    max_expression_characters: int = _env(
        "SCAIFLOW_MAX_EXPRESSION_CHARACTERS", 300_000, "length of all expressions of a flow together", ge=1024
    )


class Client(Section):
    """What commands use that go through the API of a ScaiFlow, such as `scaiflow deploy --api URL`."""

    token: SecretStr | None = _env("SCAIFLOW_TOKEN", None, "access token; a server never reads it")


class LocalGrid(Section):
    """What `scaiflow dev` and `scaiflow grid` start on a laptop; production never reads these."""

    host: str = _env("SCAIFLOW_GRID_HOST", "127.0.0.1", "bind address of the local grid; loopback only")
    port: int = _env("SCAIFLOW_GRID_PORT", 8002, "port of the local grid", ge=0, le=65535)
    data_folder: str = _env(
        "SCAIFLOW_DATA_FOLDER",
        "./.scaiflow",
        "where `scaiflow dev` keeps database, documents and the grid's state",
    )
    database: str = _env("SCAIFLOW_GRID_DB", "./grid.db", "SQLite file that keeps the local grid's state")
    model_url: str | None = _env(
        "SCAIFLOW_GRID_MODEL_URL", None, "base URL of an OpenAI-compatible endpoint; unset: the offline model"
    )
    model_key: SecretStr | None = _env("SCAIFLOW_GRID_MODEL_KEY", None, "bearer for that endpoint")
    faults: bool = _env(
        "SCAIFLOW_GRID_FAULTS", False, "offer the switch that makes the local grid fail, for tests"
    )


class Settings(BaseModel):
    """All sections. Build it with `Settings.load()`; tests pass sections."""

    model_config = ConfigDict(frozen=True)

    api: Api = Field(default_factory=Api)
    database: Database = Field(default_factory=Database)
    store: Store = Field(default_factory=Store)
    live: Live = Field(default_factory=Live)
    sync: Sync = Field(default_factory=Sync)

    observability: Observability = Field(default_factory=Observability)
    housekeeping: Housekeeping = Field(default_factory=Housekeeping)
    scaikey: ScaiKey = Field(default_factory=ScaiKey)
    directory: Directory = Field(default_factory=Directory)
    scaigrid: ScaiGrid = Field(default_factory=ScaiGrid)
    secrets: Secrets = Field(default_factory=Secrets)
    bootstrap: Bootstrap = Field(default_factory=Bootstrap)
    limits: FlowLimits = Field(default_factory=FlowLimits)
    client: Client = Field(default_factory=Client)
    localgrid: LocalGrid = Field(default_factory=LocalGrid)

    @classmethod
    def load(cls) -> "Settings":
        """Read every source. Raises pydantic's ValidationError naming each bad variable."""
        files = env_files()
        return cls(
            **{
                name: field.annotation(_env_file=files)
                for name, field in cls.model_fields.items()
                if field.annotation is not None
            }
        )

    @property
    def is_production(self) -> bool:
        return self.api.env is Environment.PRODUCTION

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        problems = []
        if self.is_production:
            if self.scaikey.auth_disabled:
                problems.append(
                    "SCAIFLOW_AUTH_DISABLED is for development: unset it, or set SCAIFLOW_ENV=development"
                )
            if self.api.reload:
                problems.append(
                    "SCAIFLOW_API_RELOAD is for development: unset it, or set SCAIFLOW_ENV=development"
                )
        elif self.scaikey.auth_disabled and self.api.host not in LOOPBACK:
            problems.append("SCAIFLOW_AUTH_DISABLED allows only a loopback SCAIFLOW_API_HOST")
        if problems:
            raise ValueError("; ".join(problems))
        return self
