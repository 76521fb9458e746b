"""`/v1/auth/*` (public) and `/v1/me`."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from scaiflow_api.domains.session.schemas import AuthConfig, ExchangeRequest, Me, RefreshRequest, TokenAnswer
from scaiflow_api.upstreams.errors import (
    ScaiKeyApi,
    ScaiKeyBusy,
    ScaiKeyNotConfigured,
    ScaiKeyRefused,
    ScaiKeyTimeout,
)
from scaiflow_api.web.deps import AuthenticatorDep, CallerDep, ResourcesDep
from scaiflow_api.web.errors import documented
from scaiflow_api.web.rate_limit import TooManyRequests, sign_in_turn

public = APIRouter(prefix="/auth", tags=["auth"])
router = APIRouter(tags=["auth"])

_REFUSALS: dict[int | str, dict[str, Any]] = documented(
    ScaiKeyRefused, ScaiKeyApi, ScaiKeyBusy, ScaiKeyNotConfigured, ScaiKeyTimeout, TooManyRequests
)
_IN_TURN = Depends(sign_in_turn)


@public.get("/config", response_model=AuthConfig)
async def auth_config(resources: ResourcesDep) -> AuthConfig:
    """Say where and as which client a browser signs in."""
    scaikey = resources.settings.scaikey
    return AuthConfig(
        auth_mode="scaikey" if scaikey.base_url else "dev_token",
        scaikey_base_url=scaikey.base_url,
        client_id=scaikey.client_id,
        audience=scaikey.audiences[0] if scaikey.audiences else None,
        redirect_uri=scaikey.redirect_uri,
    )


@public.post("/exchange", response_model=TokenAnswer, responses=_REFUSALS, dependencies=[_IN_TURN])
async def exchange_code(body: ExchangeRequest, resources: ResourcesDep, response: Response) -> TokenAnswer:
    """Trade an authorization code for tokens; the client secret never leaves the server.

    What ScaiKey refuses is a 400 whose `error` and `error_description` are ScaiKey's own.
    """
    response.headers["Cache-Control"] = "no-store"
    tokens = await resources.scaikey.exchange(**body.model_dump())
    return TokenAnswer.model_validate(tokens)


@public.post("/refresh", response_model=TokenAnswer, responses=_REFUSALS, dependencies=[_IN_TURN])
async def refresh_tokens(body: RefreshRequest, resources: ResourcesDep, response: Response) -> TokenAnswer:
    """Trade a refresh token for new tokens; the old one is spent. Refusals are as of `exchange`."""
    response.headers["Cache-Control"] = "no-store"
    return TokenAnswer.model_validate(await resources.scaikey.refresh(body.refresh_token))


@router.get("/me", response_model=Me)
async def read_me(caller: CallerDep, known: AuthenticatorDep) -> Me:
    """Say who you are and what you may do."""
    permissions = await known.permissions(caller)
    return Me(
        sub=caller.subject,
        tenant_id=caller.tenant_id,
        email=caller.email,
        display_name=caller.display_name,
        permissions=sorted(key for key in permissions if ":" in key),
        groups=sorted(caller.groups),
        admin_role=caller.admin_role.value if caller.admin_role else None,
        admin_role_source=caller.admin_role_source,
    )
