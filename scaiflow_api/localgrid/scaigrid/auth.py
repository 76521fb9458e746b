"""Who calls ScaiGrid: a ScaiKey token or the configured API key, and what that principal may do."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaigrid.envelope import ok
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaikey.keys import TokenRefused
from scaiflow_api.localgrid.scaikey.people import SERVICE, Principal

router = APIRouter()


async def _caller(request: Request, grid: GridDep) -> Principal:
    """Return who calls. Raises GridError 401."""
    header = request.headers.get("authorization")
    if header is None:
        raise GridError(401, "AUTH_TOKEN_MISSING", "The Authorization header is missing.")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise GridError(401, "AUTH_TOKEN_INVALID", "The Authorization header holds no bearer token.")
    return _by_key(token, grid) if token.startswith("sgk_") else await _by_token(token, grid)


CallerDep = Annotated[Principal, Depends(_caller)]


def _by_key(key: str, grid: Grid) -> Principal:
    expected = grid.config.api_key
    if expected is None or not hmac.compare_digest(key.encode(), expected.encode()):
        raise GridError(401, "AUTH_TOKEN_INVALID", "The API key is unknown.")
    return SERVICE


async def _by_token(token: str, grid: Grid) -> Principal:
    try:
        claims = grid.keys.verify(token)
    except TokenRefused as refused:
        raise GridError(401, "AUTH_TOKEN_INVALID", f"The token is not valid: {refused}.") from None
    if claims.get("platform_token") is True:
        raise GridError(401, "SERVICE_TOKEN_INVALID", "A platform token names no tenant.")
    principal = await grid.directory.active(claims["sub"])
    issuer = f"{grid.config.scaikey_url}/tenants/{principal.tenant.id}" if principal else None
    if (
        principal is None
        or claims["iss"] != issuer
        or claims["aud"] not in grid.clients
        or "scope" not in claims
    ):
        raise GridError(401, "AUTH_TOKEN_INVALID", "The token is not an access token for this grid.")
    return principal


def requires(*permissions: str) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that yields a caller who has one of the permissions. A refusal names the first."""

    async def check(caller: CallerDep) -> Principal:
        if not set(permissions).intersection(caller.permissions):
            raise GridError(403, "AUTHZ_PERMISSION_DENIED", f"permission_denied: need {permissions[0]}")
        return caller

    return check


CoreViewer = Annotated[Principal, Depends(requires("scaicore:view"))]
CoreManager = Annotated[Principal, Depends(requires("scaicore:manage"))]
CheckpointReader = Annotated[Principal, Depends(requires("scaicore:view", "scaicore:checkpoint_resolve"))]
CheckpointResolver = Annotated[Principal, Depends(requires("scaicore:checkpoint_resolve"))]
ModelReader = Annotated[Principal, Depends(requires("models:list"))]
ModelUser = Annotated[Principal, Depends(requires("models:use"))]


@router.get("/v1/auth/me")
@router.get("/v1/me")
async def me(request: Request, caller: CallerDep) -> Response:
    return ok(
        request,
        {
            "id": caller.id,
            "tenant_id": caller.tenant.id,
            "roles": list(caller.roles),
            "permissions": list(caller.permissions),
        },
    )
