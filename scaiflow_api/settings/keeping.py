"""Where things are kept, and how much of them."""

import base64
import binascii

from pydantic import SecretStr, field_validator

from scaiflow_api.settings.section import MIB, Section, callable_address, variable


class Database(Section):
    """Where rows are kept."""

    url: SecretStr = variable(
        "SCAIFLOW_DB_URL",
        SecretStr("sqlite+aiosqlite:///./scaiflow.db"),
        "SQLAlchemy async URL: sqlite+aiosqlite, postgresql+asyncpg or mysql+asyncmy",
    )
    skip_create_all: bool = variable(
        "SCAIFLOW_SKIP_CREATE_ALL",
        False,
        "true: the schema is only changed by `scaiflow migrate`; false: it is brought up to date at start",
    )
    pool_size: int = variable(
        "SCAIFLOW_DB_POOL_SIZE",
        10,
        "connections per process for reading, and as many for writing",
        ge=1,
        le=200,
    )
    timeout_s: float = variable(
        "SCAIFLOW_DB_TIMEOUT_S",
        30.0,
        "seconds for one transaction, waiting for its turn included; then 503 `database_unavailable`",
        gt=0,
        le=600,
    )


class Store(Section):
    """Where flow documents are kept."""

    url: str = variable(
        "SCAIFLOW_STORE_URL",
        "file:./blobs",
        "`file:PATH`, `s3://BUCKET?endpoint=URL&region=NAME` or `memory:`",
    )
    cache_bytes: int = variable(
        "SCAIFLOW_STORE_CACHE_BYTES", 32 * MIB, "memory per process for documents read last; 0: none", ge=0
    )
    timeout_s: float = variable(
        "SCAIFLOW_STORE_TIMEOUT_S",
        15.0,
        "seconds for one read or write, repetitions and waiting for its turn included; then 503 `store_unavailable`",
        gt=0,
        le=60,
    )
    s3_access_key: SecretStr | None = variable("SCAIFLOW_S3_ACCESS_KEY", None, "S3 access key")
    s3_secret_key: SecretStr | None = variable("SCAIFLOW_S3_SECRET_KEY", None, "S3 secret key")


class Live(Section):
    """What is kept, and told, for a moment only: who has a flow open, and that a draft has changed."""

    redis_url: SecretStr | None = variable(
        "SCAIFLOW_REDIS_URL",
        None,
        "`redis://[[USER]:PASSWORD@]HOST:PORT/NUMBER`, `rediss://` with TLS. Needed as soon as there are several API "
        "processes; unset: kept in this process",
    )


class FlowLimits(Section):
    """How large a flow may be; 413 `flow_too_large` above it."""

    max_bytes: int = variable("SCAIFLOW_MAX_FLOW_BYTES", 5 * MIB, "bytes of a flow's canonical JSON", ge=1024)
    max_nodes: int = variable("SCAIFLOW_MAX_FLOW_NODES", 5_000, "nodes of a flow", ge=1)
    max_edges: int = variable("SCAIFLOW_MAX_FLOW_EDGES", 20_000, "edges of a flow", ge=1)
    max_nesting: int = variable("SCAIFLOW_MAX_FLOW_NESTING", 64, "nesting of a flow's JSON", ge=8, le=200)
    max_expression_characters: int = variable(
        "SCAIFLOW_MAX_EXPRESSION_CHARACTERS", 300_000, "length of all expressions of a flow together", ge=1024
    )


class Housekeeping(Section):
    """What `scaiflow gc` may remove."""

    grace_s: int = variable(
        "SCAIFLOW_GC_GRACE_S",
        86_400,
        "seconds for which an object without a row is left alone: its row may be on the way",
        ge=600,
    )


def _secret_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("SCAIFLOW_SECRETS_KEY: each key is the base64 of 32 random bytes")
    return key


class Secrets(Section):
    """Where the ScaiGrid keys of tenants are kept: in ScaiVault, else encrypted in the database."""

    vault_url: str | None = variable(
        "SCAIVAULT_BASE_URL",
        None,
        "ScaiVault base URL, asked with the token of the ScaiKey client; unset: the database, if there is a key",
    )
    key: SecretStr | None = variable(
        "SCAIFLOW_SECRETS_KEY",
        None,
        "base64 of 32 random bytes, for keeping secrets in the database; several separated by commas: the first "
        "encrypts, all decrypt",
    )

    _address = field_validator("vault_url")(callable_address)

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
