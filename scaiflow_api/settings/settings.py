"""All sections together."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scaiflow_api.kit.env_files import env_files
from scaiflow_api.kit.loopback import LOOPBACK
from scaiflow_api.settings.coediting import Sync
from scaiflow_api.settings.identity import Bootstrap, Directory, ScaiKey
from scaiflow_api.settings.keeping import Database, FlowLimits, Housekeeping, Live, Secrets, Store
from scaiflow_api.settings.localgrid import LocalGrid
from scaiflow_api.settings.scaigrid import ScaiGrid
from scaiflow_api.settings.server import Api, Client, Environment, Observability


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
