"""Sign-in over the wire."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from scaiflow_api.web.schemas import AnswerModel, ApiModel

Opaque = Annotated[str, StringConstraints(min_length=1, max_length=8192)]


class AuthConfig(AnswerModel):
    """What a browser needs to start signing in."""

    auth_mode: Literal["scaikey", "dev_token"]
    scaikey_base_url: str | None
    client_id: str | None
    audience: str | None
    redirect_uri: str


class ExchangeRequest(ApiModel):
    """The code that ScaiKey handed the browser, and the verifier of its challenge."""

    example: ClassVar = {
        "code": "…",
        "code_verifier": "…",
        "redirect_uri": "http://127.0.0.1:8001/auth/callback",
    }

    code: Opaque
    code_verifier: Opaque
    redirect_uri: Opaque


class RefreshRequest(ApiModel):
    """The refresh token of the last answer."""

    example: ClassVar = {"refresh_token": "…"}

    refresh_token: Opaque


class TokenAnswer(AnswerModel):
    """ScaiKey's tokens. A refresh token is good once."""

    access_token: str
    refresh_token: str | None
    id_token: str | None
    token_type: str
    expires_in: int


class Me(AnswerModel):
    """The caller, as ScaiFlow sees it."""

    sub: str
    tenant_id: str
    email: str | None
    display_name: str | None
    permissions: list[str]
    groups: list[str]
    admin_role: Literal["tenant_admin", "super_admin"] | None
    admin_role_source: Literal["manual", "group", "bootstrap"] | None
