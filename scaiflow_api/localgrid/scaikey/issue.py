"""What stands in a token."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from typing import Any

from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.scaikey.grants import Grant
from scaiflow_api.localgrid.scaikey.people import SERVICE, Client, Principal

LIFE_S = 3600


def user_token(grid: Grid, person: Principal, grant: Grant, scope: str) -> str:
    """Return a person's access token. Its audience is the client that asked for it."""
    return grid.keys.sign(
        {
            **_frame(grid, grant.client_id, person),
            **_identity(person),
            "scope": scope,
            "client_id": grant.client_id,
        }
    )


def id_token(grid: Grid, person: Principal, grant: Grant, scope: str, access_token: str) -> str:
    """Return an ID token. It carries no `scope`, so nobody takes it for an access token."""
    identity = _identity(person)
    scopes = scope.split()
    shown = {
        **({"email": identity["email"]} if "email" in scopes else {}),
        **({"name": identity["name"], "groups": identity["groups"]} if "profile" in scopes else {}),
        **({"nonce": grant.nonce} if grant.nonce is not None else {}),
    }
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return grid.keys.sign(
        {
            **_frame(grid, grant.client_id, person),
            **shown,
            "auth_time": grant.auth_time,
            "at_hash": urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
    )


def service_token(grid: Grid, client: Client, scope: str) -> str:
    """Return a client's own access token.

    A tenant's client gets one for the API (`aud` is the API's client id): it is how a build server signs in.
    A platform client gets a platform token, which names no tenant.
    """
    claims: dict[str, Any] = {"scope": scope, "client_id": client.id, "token_type": "client_credentials"}
    if client.tenant is None:
        frame = _frame(grid, client.id, None) | {"sub": client.id}
        return grid.keys.sign({**frame, **claims, "app_scope": "GLOBAL", "platform_token": True})
    frame = _frame(grid, grid.config.api_client_id, SERVICE)
    return grid.keys.sign({**frame, **_identity(SERVICE), **claims, "app_scope": "TENANT"})


def _frame(grid: Grid, audience: str, principal: Principal | None) -> dict[str, Any]:
    now = int(grid.now())
    frame: dict[str, Any] = {
        "iss": grid.config.scaikey_url,
        "aud": audience,
        "iat": now,
        "exp": now + LIFE_S,
        "jti": secrets.token_hex(12),
    }
    if principal is not None:
        issuer = f"{grid.config.scaikey_url}/tenants/{principal.tenant.id}"
        frame |= {"iss": issuer, "sub": principal.id, "tenant_id": principal.tenant.id}
    return frame


def _identity(principal: Principal) -> dict[str, Any]:
    return {"email": principal.email, "name": principal.name, "groups": list(principal.groups)}
