"""From a bearer token to a Caller: signature, then standing, then permissions. Each has its own age limit."""

import hashlib
import re
from dataclasses import replace

from cachetools import TTLCache
from pydantic import SecretStr

from scaiflow_api.auth.caller import MANAGE, VIEW, AdminRole, Caller
from scaiflow_api.auth.errors import AccountNotActive, NotAuthenticated
from scaiflow_api.auth.tokens import Claims
from scaiflow_api.db.principals import ACTIVE, Standing
from scaiflow_api.resources import Resources

STANDING_TTL_S = 4.5
"""A suspended account is refused, and a group left, five seconds later at the latest: looking takes time as well."""
PERMISSIONS_TTL_S = 60
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]+) *", re.IGNORECASE | re.ASCII)
_CACHED = 20_000


class Authenticator:
    """Identifies callers. One per process: it owns the caches."""

    def __init__(self, resources: Resources) -> None:
        self._tokens = resources.tokens
        self._principals = resources.principals
        self._scaigrid = resources.scaigrid
        self._clock = resources.clock
        self._disabled = resources.settings.scaikey.auth_disabled
        self._standing: TTLCache[tuple[str, str], Standing] = TTLCache(_CACHED, STANDING_TTL_S)
        self._granted: TTLCache[bytes, frozenset[str]] = TTLCache(_CACHED, PERMISSIONS_TTL_S)

    async def identify(self, authorization: str | None, *, request_id: str | None = None) -> Caller:
        """Return who sent this `Authorization` header with a request. Raises what `recognize` raises."""
        token = None if self._disabled else bearer_of(authorization)
        caller, _ = await self.recognize(token, request_id=request_id)
        return caller

    async def recognize(
        self, token: str | None, *, request_id: str | None = None
    ) -> tuple[Caller, Claims | None]:
        """Return whose token this is, and what it says; no claims where no token is asked for.

        Raises NotAuthenticated, InvalidToken, AccountNotActive, or the error of a ScaiKey that cannot be asked.
        """
        if self._disabled:
            return replace(_DEVELOPER, request_id=request_id), None
        if token is None:
            raise NotAuthenticated
        claims = await self._tokens.verify(token)
        standing = await self._standing_of(claims)
        caller = Caller(
            subject=claims.subject,
            tenant_id=claims.tenant_id,
            token=SecretStr(token),
            email=standing.email or claims.email,
            display_name=standing.display_name or claims.display_name,
            groups=standing.groups_with(claims.groups),
            admin_role=standing.admin_role,
            admin_role_source=standing.admin_role_source,
            token_permissions=claims.grants,
            request_id=request_id,
        )
        if standing.deleted or standing.status != ACTIVE:
            held = "deleted" if standing.deleted else standing.status.lower()
            raise AccountNotActive(standing=held, caller=caller)
        return caller, claims

    async def permissions(self, caller: Caller) -> frozenset[str]:
        """Return the caller's ScaiCore permissions: an admin's, else the token's, else what ScaiGrid grants.

        Fails closed: raises the upstream's error when ScaiGrid has to be asked and does not answer.
        """
        if caller.admin_role is not None:
            return caller.token_permissions | {VIEW, MANAGE}
        if any(key.startswith("scaicore:") for key in caller.token_permissions):
            return caller.token_permissions
        digest = hashlib.sha256(caller.token.get_secret_value().encode()).digest()
        granted = self._granted.get(digest)
        if granted is None:
            theirs = self._scaigrid.on_behalf_of(caller.tenant_id)
            granted = (await theirs.me(caller.token)).permissions
            self._granted[digest] = granted
        return caller.token_permissions | granted

    async def _standing_of(self, claims: Claims) -> Standing:
        key = (claims.tenant_id, claims.subject)
        standing = self._standing.get(key)
        if standing is None:
            standing = await self._principals.find(*key) or await self._principals.add(
                *key, email=claims.email, name=claims.display_name, now=self._clock.now()
            )
            self._standing[key] = standing
        return standing


# Who everyone is while SCAIFLOW_AUTH_DISABLED is set.
_DEVELOPER = Caller(
    subject="usr_developer",
    tenant_id="tnt_development",
    token=SecretStr(""),
    email="developer@localhost",
    display_name="Developer",
    admin_role=AdminRole.TENANT_ADMIN,
    admin_role_source="bootstrap",
)


def bearer_of(authorization: str | None) -> str:
    """Return the token in an `Authorization` header. Raises NotAuthenticated."""
    found = _BEARER.fullmatch(authorization or "")
    if found is None:
        raise NotAuthenticated
    return found.group(1)
