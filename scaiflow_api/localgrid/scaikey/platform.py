"""Who may use ScaiKey's admin API here: platform clients, by the scopes of their own tokens."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaikey.keys import TokenRefused

_NEEDED = "Platform token requires admin:read or admin:write scope"


def _requires(*scopes: str) -> Callable[[Request, GridDep], Awaitable[None]]:
    async def check(request: Request, grid: GridDep) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = grid.keys.verify(token.strip() if scheme.lower() == "bearer" else "")
        except TokenRefused as refused:
            raise HTTPException(401, f"The token is {refused}.") from None
        held = set(str(claims.get("scope", "")).split())
        if claims.get("platform_token") is not True or not held & {*scopes}:
            raise HTTPException(403, _NEEDED)

    return check


ReadsAll = Annotated[None, Depends(_requires("admin:read", "admin:write"))]
ReadsUsers = Annotated[None, Depends(_requires("admin:read", "admin:write", "users:read"))]
ReadsGroups = Annotated[None, Depends(_requires("admin:read", "admin:write", "groups:read"))]
Writes = Annotated[None, Depends(_requires("admin:write"))]
