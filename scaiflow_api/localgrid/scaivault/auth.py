"""Who calls ScaiVault: somebody with a ScaiKey token whose scopes say what it may do with secrets.

Here the scopes decide alone, there are no policies. Each tenant has its own secrets, and so has the platform, whose
tokens name no tenant: the same path is another secret elsewhere.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaikey.keys import TokenExpired, TokenRefused
from scaiflow_api.localgrid.scaivault.errors import VaultError

PLATFORM = ""
"""The place of secrets of tokens without a tenant."""


def _requires(scope: str) -> Callable[[Request, GridDep], Awaitable[str]]:
    async def place(request: Request, grid: GridDep) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise VaultError(401, "authentication_required", "The request holds no bearer token.")
        try:
            claims = grid.keys.verify(token.strip())
        except TokenExpired:
            raise VaultError(401, "token_expired", "The token has expired.") from None
        except TokenRefused as refused:
            raise VaultError(401, "token_invalid", f"The token is {refused}.") from None
        if claims["aud"] not in grid.clients or "scope" not in claims:
            raise VaultError(401, "token_invalid", "The token is no access token.")
        if scope not in str(claims["scope"]).split():
            raise VaultError(403, "insufficient_scope", f"The token lacks the scope {scope}.")
        return str(claims.get("tenant_id", PLATFORM))

    return place


Reads = Annotated[str, Depends(_requires("secrets:read"))]
Writes = Annotated[str, Depends(_requires("secrets:write"))]
Deletes = Annotated[str, Depends(_requires("secrets:delete"))]
