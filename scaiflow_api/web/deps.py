"""What a route asks for: the process's resources, and a caller who may be here."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, Query, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import MANAGE, VIEW, AdminRole, Caller
from scaiflow_api.auth.errors import InsufficientRole, PermissionDenied
from scaiflow_api.db.sealing import SecretUnreadable
from scaiflow_api.resources import Resources
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.errors import (
    ScaiKeyApi,
    ScaiKeyBusy,
    ScaiKeyNotConfigured,
    ScaiKeyTimeout,
    ScaiVaultApi,
    ScaiVaultBusy,
    ScaiVaultTimeout,
)
from scaiflow_api.web.authentication import Authenticator
from scaiflow_api.web.context import caller_of, remember_caller, request_ids

Limit = Annotated[int, Query(ge=1, le=500, description="how many at the most")]
"""How long a page of a list may be."""


async def resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


async def authenticator(request: Request) -> Authenticator:
    found: Authenticator = request.app.state.authenticator
    return found


ResourcesDep = Annotated[Resources, Depends(resources)]


async def credentials(request: Request) -> Credentials:
    opened = await resources(request)
    return Credentials(opened.settings, opened.scaigrid, opened.tenant_keys, opened.tenant_grids)


CredentialsDep = Annotated[Credentials, Depends(credentials)]
KEY_FAILURES: Final = (
    ScaiVaultApi,
    ScaiVaultBusy,
    ScaiVaultTimeout,
    ScaiKeyApi,
    ScaiKeyBusy,
    ScaiKeyTimeout,
    ScaiKeyNotConfigured,
    SecretUnreadable,
)
"""What may keep a tenant's key from being had, for the documentation of routes that may need one. The vault is asked
with a token of ScaiKey's."""
AuthenticatorDep = Annotated[Authenticator, Depends(authenticator)]


class _Authentication(SecurityBase):
    """Identifies the caller, and is itself the scheme that OpenAPI tells of: one dependency less for each request."""

    model = HTTPBearerModel(description="A ScaiKey access token: `scaiflow token alice` prints one.")
    scheme_name = "HTTPBearer"

    async def __call__(self, request: Request) -> Caller:
        return await caller(request)


authenticate: Final = _Authentication()
"""Every route below /api/v1 depends on this, save a closed list of public ones."""


def authorization_of(request: Request) -> str | None:
    """Return the header; None for two of them, because a proxy in front may have looked at the other one."""
    sent = request.headers.getlist("authorization")
    return sent[0] if len(sent) == 1 else None


async def caller(request: Request) -> Caller:
    """Return who makes this request, identified once. Raises what `Authenticator.identify` raises.

    Dependencies ask for the caller here instead of depending on `authenticate`: FastAPI resolves the whole tree below
    a dependency anew wherever it stands, even when it has the value already.
    """
    known = caller_of(request.scope)
    if known is None:
        known = await (await authenticator(request)).identify(
            authorization_of(request), request_id=request_ids(request.scope).request_id
        )
        remember_caller(request.scope, known)
    return known


CallerDep = Annotated[Caller, Depends(caller)]


Admission: TypeAlias = Callable[[Request], Awaitable[Caller]]
"""Returns the caller that it lets through, or raises why not."""


def requires(permission: str, role: AdminRole | None = None) -> Admission:
    """Return a dependency that lets only holders of `permission`, and of `role` if one is named, through."""

    async def check(request: Request) -> Caller:
        who = await caller(request)
        if role is not None and not who.holds(role):
            raise InsufficientRole(needed=role.value)
        if permission not in await (await authenticator(request)).permissions(who):
            raise PermissionDenied(needed=permission)
        return who

    check.__dict__["permission"] = permission
    check.__dict__["role"] = role
    return check


Viewer = Annotated[Caller, Depends(requires(VIEW))]
Manager = Annotated[Caller, Depends(requires(MANAGE))]


def acl(level: Level) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that needs `level` on its flow; docs and tests read it."""
    return {"x-acl": level.label}
