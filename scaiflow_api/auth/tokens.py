"""Verification of ScaiKey's access tokens.

This is the only module that touches python-jose, and it takes nothing of it but keys: the library reads tokens too
trustingly (algorithms of the token's own choice, missing claims, any key of a set, unknown `crit`) and slowly. One
key is chosen by the token's `kid`, and that key's algorithm is the only one allowed.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jose import jwk
from jose.exceptions import JOSEError

from scaiflow_api.auth.compact_jws import take_apart
from scaiflow_api.auth.errors import InvalidToken
from scaiflow_api.kit.clock import Clock

LEEWAY_S = 30
_MAX_LENGTH = 16_384
_REMEMBERED = 4096
_REMEMBERED_S = 300
_is_identifier = lru_cache(maxsize=4096)(re.compile(r"[A-Za-z0-9_.:@-]{1,128}", re.ASCII).fullmatch)
"""Asked of the same tenants and subjects again and again."""
_LAST_MOMENT = 253_402_300_799
"""The end of the year 9999: no honest token is good for longer."""
_Moment = Annotated[float, msgspec.Meta(ge=0, le=_LAST_MOMENT)]
"""Seconds since 1970."""
_LONGEST_TEXT = 320
_Text = Annotated[str, msgspec.Meta(max_length=_LONGEST_TEXT)]
_PADDING, _HASHED = PKCS1v15(), Prehashed(SHA256())
_CURVE_SIGNED = ECDSA(_HASHED)
_HALF_SIGNATURE = 32
"""Bytes of each of the two numbers that a signature of P-256 consists of."""
_HASH_OF_NOTHING = hashlib.sha256()
"""Copied for each token: finding the function anew takes longer."""


@dataclass(frozen=True)
class SigningKey:
    """A public key that ScaiKey publishes."""

    kid: str
    algorithm: str
    jwk: Mapping[str, Any]

    @property
    def is_usable(self) -> bool:
        """Tell whether the JWK is a key at all, for example a point on the curve: ScaiKey may publish others."""
        try:
            return self._key is not None
        except (JOSEError, ValueError, TypeError):
            return False

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Tell whether the signature is by this key, of a text whose SHA-256 is `digest`."""
        # Not by python-jose: it hashes the text again, and makes what never changes anew each time.
        try:
            if self.algorithm == "RS256":
                self._key.verify(signature, digest, _PADDING, _HASHED)
            else:
                self._key.verify(_der(signature), digest, _CURVE_SIGNED)
        except (InvalidSignature, ValueError):
            return False
        return True

    @cached_property
    def _key(self) -> Any:
        """The key in the form of the cryptography library, built once."""
        key: Any = jwk.construct(dict(self.jwk), self.algorithm)
        return key.prepared_key


class KeySource(Protocol):
    """Where public keys come from."""

    async def find(self, kid: str) -> SigningKey | None:
        """Return the key of that id; None: the provider has none. Raises AppError when it cannot be asked."""
        ...


class Claims(
    msgspec.Struct,
    frozen=True,
    gc=False,  # it holds nothing that could refer to itself
    rename={
        "subject": "sub",
        "expires_at": "exp",
        "issued_at": "iat",
        "audience": "aud",
        "issuer": "iss",
        "not_before": "nbf",
        "display_name": "name",
    },
):
    """What we read of a verified access token. Faults are reported in the order of these fields."""

    scope: str
    subject: str
    expires_at: _Moment
    issued_at: _Moment
    audience: str | list[str]
    tenant_id: str
    issuer: str
    not_before: _Moment = 0
    permissions: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    email: _Text | None = None
    display_name: _Text | None = None

    @property
    def grants(self) -> frozenset[str]:
        """Its permissions, and the words of its scope."""
        return self.permissions.union(self.scope.split())


_COMPLAINTS = {
    "scope": "'sub' or 'scope' is malformed",
    "sub": "'sub' or 'scope' is malformed",
    "aud": "Audience doesn't match",
    "tenant_id": "it names no tenant",
    "iss": "Issuer doesn't match",
}


class TokenVerifier:
    """Checks access tokens of one issuer. Only signatures are cached, never what a principal may do."""

    def __init__(self, *, base_url: str, audiences: Sequence[str], keys: KeySource, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._tenants = f"{self._base_url}/tenants/"
        self._audiences = frozenset(audiences)
        self._keys = keys
        self._clock = clock
        self._verified: dict[tuple[bytes, bytes], tuple[Claims, float]] = {}
        """Claims by the digest of what is signed and the signature, oldest first, and when they were verified."""

    async def verify(self, token: str) -> Claims:
        """Return the token's claims. Raises InvalidToken, or the key source's error."""
        if len(token) > _MAX_LENGTH:
            raise InvalidToken("too long")
        text, now = token.encode("utf-8", "surrogatepass"), self._clock.seconds()
        signed, _, signature = text.rpartition(b".")
        hashed = _HASH_OF_NOTHING.copy()
        hashed.update(signed)
        digest = hashed.digest()
        seen = (digest, signature)
        known = self._verified.get(seen)
        if known is not None and 0 <= now - known[1] < _REMEMBERED_S:
            claims = known[0]
        else:
            header, said, bare_signature = take_apart(signed, signature)
            key = await self._keys.find(header.kid)
            if key is None:
                raise InvalidToken("signed by a key that ScaiKey does not publish")
            if key.algorithm != header.algorithm:
                raise InvalidToken("its algorithm is not that of its key")
            if not key.verifies(bare_signature, digest):
                raise InvalidToken("Signature verification failed")
            claims = self._read(said, now)
            self._remember(seen, claims, now)
        if now > claims.expires_at + LEEWAY_S:
            raise InvalidToken("Signature has expired")
        return claims

    def _remember(self, token: tuple[bytes, bytes], claims: Claims, now: float) -> None:
        if len(self._verified) >= _REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = (claims, now)

    def _read(self, raw: Mapping[str, Any], now: float) -> Claims:
        try:
            claims = msgspec.convert(raw, Claims)
        except msgspec.ValidationError:
            claims = _mended(raw)
        if now < claims.not_before - LEEWAY_S:
            raise InvalidToken("it is not valid yet")
        audience, tenant_id = claims.audience, claims.tenant_id
        if self._audiences.isdisjoint((audience,) if isinstance(audience, str) else audience):
            raise InvalidToken(_COMPLAINTS["aud"])
        if not _is_identifier(tenant_id):
            raise InvalidToken(_COMPLAINTS["tenant_id"])
        if claims.issuer != self._tenants + tenant_id and claims.issuer != self._base_url:
            raise InvalidToken(_COMPLAINTS["iss"])
        if not _is_identifier(claims.subject):
            raise InvalidToken(_COMPLAINTS["sub"])
        return claims


def _der(signature: bytes) -> bytes:
    """Return the form in which the library wants a signature of P-256. Raises ValueError for what is none."""
    if len(signature) != 2 * _HALF_SIGNATURE:
        raise ValueError("neither longer nor shorter")
    r, s = signature[:_HALF_SIGNATURE], signature[_HALF_SIGNATURE:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def _mended(raw: Mapping[str, Any]) -> Claims:
    """Read claims of which one is not of its kind. Raises InvalidToken, unless a token can do without that one."""
    mended = {
        **raw,
        "permissions": _strings(raw.get("permissions")),
        "groups": _strings(raw.get("groups")),
        "email": _text(raw.get("email")),
        "name": _text(raw.get("name")),
    }
    try:
        return msgspec.convert(mended, Claims)
    except msgspec.ValidationError:
        raise InvalidToken(_complaint(raw)) from None


def _complaint(raw: Mapping[str, Any]) -> str:
    """Return which claim is missing or malformed, of claims of which one is."""
    if "scope" not in raw:
        return "it is no access token: 'scope' is missing"
    for field in msgspec.structs.fields(Claims):
        name = field.encode_name
        try:
            if field.required or name in raw:
                msgspec.convert(raw.get(name), field.type)
        except msgspec.ValidationError:
            return _COMPLAINTS.get(name, f"'{name}' is malformed")
    raise AssertionError("what is wrong as a whole is wrong in a part")


def _strings(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else None
