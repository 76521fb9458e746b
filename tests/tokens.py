"""A ScaiKey for tests: signs tokens with a key of its own, and publishes that key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from time import time
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwk, jwt

from scaiflow_api.auth.tokens import SigningKey

ISSUER = "http://scaikey.test"
AUDIENCE = "scaiflow-test"


@cache
def private_key(kid: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@cache
def signer(kid: str) -> Any:
    """Return the private key as the library wants it; reading the PEM anew for every token takes long."""
    return jwk.construct(private_key(kid), "RS256")


@cache
def public_jwk(kid: str) -> dict[str, Any]:
    public = signer(kid).public_key().to_dict()
    return {**public, "kid": kid, "use": "sig", "alg": "RS256"}


@dataclass
class PublishedKeys:
    """A KeySource that knows the keys it was told of."""

    kids: set[str] = field(default_factory=lambda: {"key-1"})

    async def find(self, kid: str) -> SigningKey | None:
        return SigningKey(kid, "RS256", public_jwk(kid)) if kid in self.kids else None


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a good access token; a None removes one."""
    now = int(time())
    good = {
        "iss": f"{ISSUER}/tenants/tnt_acme",
        "aud": AUDIENCE,
        "sub": "usr_alice",
        "tenant_id": "tnt_acme",
        "scope": "openid profile email",
        "iat": now,
        "exp": now + 3600,
        "email": "alice@acme.example",
        "name": "Alice Archer",
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def sign(payload: Mapping[str, Any], *, kid: str = "key-1", headers: Mapping[str, Any] | None = None) -> str:
    return jwt.encode(dict(payload), signer(kid), algorithm="RS256", headers={"kid": kid, **(headers or {})})
