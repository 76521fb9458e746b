"""The keys that sign tokens. The newest signs, all kept ones are published and verify.

The only module of the grid that touches python-jose: keys are chosen by `kid` and the algorithm is fixed here,
because the library would take both from the token.
"""

import json
import secrets
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jose import jwk, jwt
from jose.exceptions import JOSEError

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.store import Store

ALGORITHM = "RS256"
LEEWAY_S = 30
_LONGEST_TOKEN = 16_384
_SIGNATURE_ONLY = {
    f"verify_{claim}": False for claim in ("aud", "iat", "exp", "nbf", "iss", "sub", "jti", "at_hash")
}
"""Claims are judged here: the library knows neither our clock nor several audiences."""


class TokenRefused(Exception):
    """A token that no key of ours signed, or that is not valid now."""


class TokenExpired(TokenRefused):
    """A token that was good until a while ago."""

    def __init__(self) -> None:
        super().__init__("expired")


class SigningKeys:
    """ScaiKey's key pairs, kept in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pairs: dict[str, Any] = {}
        self._signing_kid = ""

    async def load(self) -> None:
        """Read the keys; make the first one where there is none."""
        rows = await self._store.read(
            lambda connection: connection.execute(
                "SELECT kid, private_pem FROM signing_keys ORDER BY created_at"
            ).fetchall()
        )
        self._pairs = {row["kid"]: _pair(row["private_pem"]) for row in rows}
        if not self._pairs:
            await self.rotate()
        self._signing_kid = list(self._pairs)[-1]

    async def rotate(self, *, forget_old: bool = False) -> str:
        """Sign with a new key from now on and return its id. Old keys still verify unless they are forgotten."""
        kid = f"key_{secrets.token_hex(8)}"
        pem = _new_private_pem()
        now = self._clock.now().timestamp()

        def keep(connection: sqlite3.Connection) -> None:
            if forget_old:
                connection.execute("DELETE FROM signing_keys")
            newest = connection.execute("SELECT coalesce(max(created_at), 0) FROM signing_keys").fetchone()[0]
            created_at = max(now, newest + 0.001)  # the order of keys must survive a clock that stands still
            connection.execute("INSERT INTO signing_keys VALUES (?, ?, ?)", (kid, pem, created_at))

        await self._store.write(keep)
        kept = {} if forget_old else self._pairs
        self._pairs = {**kept, kid: _pair(pem)}
        self._signing_kid = kid
        return kid

    def published(self) -> dict[str, Any]:
        """Return the JSON Web Key Set: public halves only."""
        return {"keys": [_public_jwk(kid, pair) for kid, pair in self._pairs.items()]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a compact JWT of the claims."""
        pair = self._pairs[self._signing_kid]
        return jwt.encode(dict(claims), pair, algorithm=ALGORITHM, headers={"kid": self._signing_kid})

    def verify(self, token: str, *, check_expiry: bool = True) -> dict[str, Any]:
        """Return the claims of a token that we signed. Issuer and audience are the caller's to judge.

        Raises TokenRefused. `check_expiry=False` is for ID token hints, which may be old.
        """
        pair = self._pairs.get(_key_id(token))
        if pair is None:
            raise TokenRefused("signed by no key of this ScaiKey")
        try:
            claims = jwt.decode(token, pair.public_key(), algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
        except (JOSEError, ValueError, RecursionError):
            raise TokenRefused("not a token of this ScaiKey") from None
        if not claims.keys() >= {"iss", "sub", "aud", "iat", "exp"} or not isinstance(claims["exp"], int):
            raise TokenRefused("incomplete")
        if check_expiry and self._clock.now().timestamp() > claims["exp"] + LEEWAY_S:
            raise TokenExpired
        return claims


def _new_private_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _pair(pem: str) -> Any:
    # The key was made here; checking its primes again would take most of the start.
    private: Any = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    return jwk.construct(private, ALGORITHM)


def _public_jwk(kid: str, pair: Any) -> dict[str, str]:
    public = pair.public_key().to_dict()
    return {"kty": "RSA", "use": "sig", "alg": ALGORITHM, "kid": kid, "n": public["n"], "e": public["e"]}


def _key_id(token: str) -> str:
    """Return the header's `kid`, having refused other algorithms and headers that choose the key themselves."""
    if len(token) > _LONGEST_TOKEN:
        raise TokenRefused("too long")
    encoded = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        raise TokenRefused("not a JWT") from None
    if (
        not isinstance(header, dict)
        or header.get("alg") != ALGORITHM
        or not isinstance(header.get("kid"), str)
    ):
        raise TokenRefused("not signed as this ScaiKey signs")
    if {"crit", "jwk", "jku", "x5u", "x5c"} & header.keys():
        raise TokenRefused("its header is not allowed")
    return str(header["kid"])
