"""Verification of ScaiKey's access tokens.

This is the only module that touches python-jose, and it takes nothing of it but keys that check signatures: the
library reads tokens too trustingly (algorithms of the token's own choice, missing claims, any key of a set, unknown
`crit`) and slowly. One key is chosen by the token's `kid`, and that key's algorithm is the only one allowed.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import msgspec
from jose import jwk

from scaiflow_api.auth.compact_jws import CompactJws, take_apart
from scaiflow_api.auth.errors import InvalidToken
from scaiflow_api.kit.clock import Clock

LEEWAY_S = 30
_MAX_LENGTH = 16_384
_REMEMBERED = 4096
_REMEMBERED_S = 300
_is_identifier = re.compile(r"[A-Za-z0-9_.:@-]{1,128}", re.ASCII).fullmatch
_LAST_MOMENT = 253_402_300_799
"""The end of the year 9999: no honest token is good for longer."""


@dataclass(frozen=True)
class SigningKey:
    """A public key that ScaiKey publishes."""

    kid: str
    algorithm: str
    jwk: Mapping[str, Any]

    @cached_property
    def verifier(self) -> Any:
        """The key in the form the library wants, built once."""
        return jwk.construct(dict(self.jwk), self.algorithm)


class KeySource(Protocol):
    """Where public keys come from."""

    async def find(self, kid: str) -> SigningKey | None:
        """Return the key of that id; None: the provider does not know it. Raises AppError when it cannot be asked."""
        ...


class Claims(msgspec.Struct, frozen=True):
    """What a verified access token says."""

    subject: str
    tenant_id: str
    expires_at: int
    scopes: frozenset[str]
    permissions: frozenset[str]
    groups: frozenset[str]
    email: str | None
    display_name: str | None


class TokenVerifier:
    """Checks access tokens of one issuer. Only signatures are cached, never what a principal may do."""

    def __init__(self, *, base_url: str, audiences: Sequence[str], keys: KeySource, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._tenants = f"{self._base_url}/tenants/"
        self._audiences = frozenset(audiences)
        self._keys = keys
        self._clock = clock
        self._verified: dict[bytes, tuple[Claims, float]] = {}
        """Claims by the digest of their token, oldest first, and when they were verified."""

    async def verify(self, token: str) -> Claims:
        """Return the token's claims. Raises InvalidToken, or the key source's error."""
        if len(token) > _MAX_LENGTH:
            raise InvalidToken("too long")
        text, now = token.encode("utf-8", "surrogatepass"), self._clock.now().timestamp()
        digest = hashlib.sha256(text).digest()
        known = self._verified.get(digest)
        if known is not None and 0 <= now - known[1] < _REMEMBERED_S:
            claims = known[0]
        else:
            found = take_apart(text)
            _check_signature(found, await self._keys.find(found.header.kid))
            claims = self._read(found.claims, now)
            self._remember(digest, claims, now)
        if now > claims.expires_at + LEEWAY_S:
            raise InvalidToken("Signature has expired")
        return claims

    def _remember(self, digest: bytes, claims: Claims, now: float) -> None:
        if len(self._verified) >= _REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = (claims, now)

    def _read(self, raw: Mapping[str, Any], now: float) -> Claims:
        if "scope" not in raw:
            raise InvalidToken("it is no access token: 'scope' is missing")
        subject, scope, tenant_id = raw.get("sub"), raw["scope"], raw.get("tenant_id")
        expires_at = _moment(raw, "exp")
        _moment(raw, "iat")
        if "nbf" in raw and now < _moment(raw, "nbf") - LEEWAY_S:
            raise InvalidToken("it is not valid yet")
        if not self._is_for_us(raw.get("aud")):
            raise InvalidToken("Audience doesn't match")
        if not isinstance(tenant_id, str) or not _is_identifier(tenant_id):
            raise InvalidToken("it names no tenant")
        if (issuer := raw.get("iss")) != self._tenants + tenant_id and issuer != self._base_url:
            raise InvalidToken("Issuer doesn't match")
        if not isinstance(scope, str) or not isinstance(subject, str) or not _is_identifier(subject):
            raise InvalidToken("'sub' or 'scope' is malformed")
        return Claims(
            subject=subject,
            tenant_id=tenant_id,
            expires_at=int(expires_at),
            scopes=frozenset(scope.split()),
            permissions=_strings(raw.get("permissions")),
            groups=_strings(raw.get("groups")),
            email=_text(raw.get("email")),
            display_name=_text(raw.get("name")),
        )

    def _is_for_us(self, audience: object) -> bool:
        if isinstance(audience, list):
            return any(isinstance(one, str) and one in self._audiences for one in audience)
        return isinstance(audience, str) and audience in self._audiences


def _check_signature(token: CompactJws, key: SigningKey | None) -> None:
    if key is None:
        raise InvalidToken("signed by a key that ScaiKey does not publish")
    if key.algorithm != token.header.algorithm:
        raise InvalidToken("its algorithm is not that of its key")
    if not key.verifier.verify(token.signed, token.signature):
        raise InvalidToken("Signature verification failed")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    """Return a time in seconds since 1970."""
    found: Any = claims.get(name)
    if type(found) not in (int, float) or not 0 <= found <= _LAST_MOMENT:  # a bool is no time
        raise InvalidToken(f"'{name}' is malformed")
    return found  # type: ignore[no-any-return]


def _strings(value: object) -> frozenset[str]:
    return frozenset([v for v in value if isinstance(v, str)]) if isinstance(value, list) else frozenset()


def _text(value: object) -> str | None:
    return value[:320] if isinstance(value, str) else None
