"""Who people are, and who is an administrator."""

import re
from typing import Annotated

from pydantic import SecretStr, field_validator
from pydantic_settings import NoDecode

from scaiflow_api.settings.section import MIB, Section, callable_address, split, variable


class ScaiKey(Section):
    """The identity provider."""

    base_url: str | None = variable("SCAIKEY_BASE_URL", None, "ScaiKey base URL; unset: nobody can sign in")
    audience: Annotated[tuple[str, ...], NoDecode] = variable(
        "SCAIKEY_AUDIENCE", (), "accepted `aud` values, separated by commas; unset: the client id"
    )
    client_id: str | None = variable(
        "SCAIFLOW_SCAIKEY_CLIENT_ID", None, "OIDC client id, shared by canvas and API"
    )
    client_secret: SecretStr | None = variable(
        "SCAIFLOW_SCAIKEY_CLIENT_SECRET", None, "OIDC client secret, server side only"
    )
    application_id: str = variable(
        "SCAIFLOW_SCAIKEY_APPLICATION_ID",
        "me",
        "ScaiKey application whose users are mirrored; `me`: the one of the client id",
    )
    webhook_secret: SecretStr | None = variable(
        "SCAIFLOW_SCAIKEY_WEBHOOK_SECRET",
        None,
        "secret that ScaiKey signs its webhooks with; unset: `POST /v1/webhooks/scaikey` answers 503",
    )
    webhook_max_bytes: int = variable(
        "SCAIFLOW_WEBHOOK_MAX_BYTES", MIB, "largest webhook body; 413 above it", ge=1024
    )
    redirect_uri: str = variable(
        "SCAIFLOW_SCAIKEY_REDIRECT_URI",
        "http://localhost:5173/auth/callback",
        "where ScaiKey sends the browser back",
    )
    auth_disabled: bool = variable(
        "SCAIFLOW_AUTH_DISABLED",
        False,
        "development: every request is one fixed principal; refused in production",
    )

    _address = field_validator("base_url")(callable_address)
    _audience = field_validator("audience", mode="before")(split)

    @property
    def audiences(self) -> tuple[str, ...]:
        """The `aud` values a token may carry."""
        return self.audience or ((self.client_id,) if self.client_id else ())


class Directory(Section):
    """The mirror of ScaiKey's people and groups."""

    sync_interval_minutes: float = variable(
        "SCAIFLOW_SYNC_INTERVAL_MINUTES",
        60,
        "minutes between two syncs with ScaiKey; 0: only when asked for",
        ge=0,
        le=10_080,
        allow_inf_nan=False,
    )
    super_admin_groups: Annotated[tuple[str, ...], NoDecode] = variable(
        "SCAIFLOW_SUPER_ADMIN_GROUPS",
        (),
        "groups whose members are super_admin, separated by commas: ids, or names within the platform tenant",
    )
    platform_tenant: str | None = variable(
        "SCAIFLOW_PLATFORM_TENANT",
        None,
        "the operator's own tenant; unset: `SCAIFLOW_SUPER_ADMIN_GROUPS` matches ids only",
    )

    _groups = field_validator("super_admin_groups", mode="before")(split)


def _grant(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([^/=]+)/([^/=]+)=(tenant_admin|super_admin)", text)
    if found is None:
        raise ValueError(
            f"SCAIFLOW_BOOTSTRAP_ADMINS: '{text}' is not TENANT/USER=tenant_admin or =super_admin"
        )
    return found[1], found[2], found[3]


class Bootstrap(Section):
    """Who is an administrator from the start, before anybody can grant a role."""

    admins: Annotated[tuple[str, ...], NoDecode] = variable(
        "SCAIFLOW_BOOTSTRAP_ADMINS",
        (),
        "`TENANT/USER=ROLE`, separated by commas; ROLE is tenant_admin or super_admin. Granted at every start",
    )

    _admins = field_validator("admins", mode="before")(split)

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
