"""The token endpoint: codes, refresh tokens and client credentials for signed tokens."""

import binascii
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaikey.discovery import TenantDep
from scaiflow_api.localgrid.scaikey.errors import NEVER_CACHED, OAuthError
from scaiflow_api.localgrid.scaikey.grants import Grant, Grants, Refused
from scaiflow_api.localgrid.scaikey.issue import LIFE_S, id_token, service_token, user_token
from scaiflow_api.localgrid.scaikey.people import Client

router = APIRouter()

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}", re.ASCII)
_MAX_FIELDS = 32


@router.post("/platform/oauth/token")
async def platform_token(request: Request, grid: GridDep) -> JSONResponse:
    return await _answer(request, grid)


@router.post("/auth/tenants/{slug}/oauth/token")
async def tenant_token(request: Request, _: TenantDep, grid: GridDep) -> JSONResponse:
    return await _answer(request, grid)


async def _answer(request: Request, grid: Grid) -> JSONResponse:
    form = await _read_form(request)
    client = _authenticate(request, form, grid.clients)
    grant_type = form.get("grant_type")
    if grant_type == "authorization_code":
        tokens = await _by_code(grid, client, form)
    elif grant_type == "refresh_token":
        tokens = await _by_refresh_token(grid, client, form)
    elif grant_type == "client_credentials":
        tokens = _by_client_credentials(grid, client, form)
    elif grant_type is None:
        raise OAuthError("invalid_request", "grant_type is missing")
    else:
        raise OAuthError("unsupported_grant_type", f"grant_type {grant_type!r} is not supported")
    return JSONResponse(tokens, headers=NEVER_CACHED)


async def _read_form(request: Request) -> dict[str, str]:
    """Return the form's fields; an empty field counts as absent, a repeated one is an error (RFC 6749 §3.2)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    try:
        text = (await request.body()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise OAuthError("invalid_request", "the body is no valid form") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise OAuthError("invalid_request", f"{name!r} is given twice")
        form[name] = value
    return {name: value for name, value in form.items() if value}


def _authenticate(request: Request, form: Mapping[str, str], clients: Mapping[str, Client]) -> Client:
    header = request.headers.get("authorization")
    if header is None:
        offers = [(form.get("client_id"), form.get("client_secret"))]
    elif "client_secret" in form:
        raise OAuthError("invalid_request", "the client authenticates twice, by header and in the body")
    else:
        offers = _basic_credentials(header)
        if form.get("client_id") not in {None, *(name for name, _ in offers)}:
            raise OAuthError("invalid_request", "client_id differs from the one in the Authorization header")
    for client_id, secret in offers:
        client = clients.get(client_id or "")
        if client and secret and hmac.compare_digest(secret.encode(), client.secret.encode()):
            return client
    raise OAuthError("invalid_client", "unknown client or wrong secret")


def _basic_credentials(header: str) -> list[tuple[str | None, str | None]]:
    """Return what the header may mean: RFC 6749 §2.3.1 form-encodes both halves, many clients do not."""
    scheme, _, encoded = header.partition(" ")
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise OAuthError("invalid_client", "the Authorization header holds no Basic credentials")
    return [(name, secret), (unquote_plus(name), unquote_plus(secret))]


async def _by_code(grid: Grid, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    code, redirect_uri, verifier = (
        _field(form, "code"),
        _field(form, "redirect_uri"),
        form.get("code_verifier"),
    )
    if verifier is not None and not _VERIFIER.fullmatch(verifier):
        raise OAuthError("invalid_request", "code_verifier must be 43 to 128 unreserved characters")
    redeemed = await Grants(grid.store).redeem_code(
        code, client_id=client.id, redirect_uri=redirect_uri, verifier=verifier, now=grid.now()
    )
    if isinstance(redeemed, Refused):
        raise OAuthError(redeemed.error, redeemed.reason)
    grant, refresh_token = redeemed
    return await _user_tokens(grid, grant, refresh_token, grant.scope)


async def _by_refresh_token(grid: Grid, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    rotated = await Grants(grid.store).rotate_refresh_token(
        _field(form, "refresh_token"), client_id=client.id, scope=form.get("scope"), now=grid.now()
    )
    if isinstance(rotated, Refused):
        raise OAuthError(rotated.error, rotated.reason)
    grant, refresh_token = rotated
    return await _user_tokens(grid, grant, refresh_token, form.get("scope", grant.scope))


def _by_client_credentials(grid: Grid, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    asked = form.get("scope", "").split() or list(client.service_scopes)
    if not set(asked) <= set(client.service_scopes):
        raise OAuthError("invalid_scope", f"this client may ask for: {' '.join(client.service_scopes)}")
    scope = " ".join(asked)
    return {
        "access_token": service_token(grid, client, scope),
        "token_type": "Bearer",
        "expires_in": LIFE_S,
        "scope": scope,
    }


async def _user_tokens(grid: Grid, grant: Grant, refresh_token: str, scope: str) -> dict[str, Any]:
    person = await grid.directory.active(grant.user_id)
    if person is None:
        raise OAuthError("invalid_grant", "the person is suspended or was deleted")
    access_token = user_token(grid, person, grant, scope)
    identity = (
        {"id_token": id_token(grid, person, grant, scope, access_token)} if "openid" in scope.split() else {}
    )
    return {
        "access_token": access_token,
        "refresh_token": refresh_token,
        **identity,
        "token_type": "Bearer",
        "expires_in": LIFE_S,
        "scope": scope,
    }


def _field(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"{name} is missing")
    return form[name]
