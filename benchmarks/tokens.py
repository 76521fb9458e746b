"""Measures what checking an access token costs: `python -m benchmarks.tokens`. Takes some ten seconds.

Warm is a token whose signature was checked before; cold one that was not. The floor of a cold one is the cryptography
library's own check of the same signature. What is compared takes turns, and the best of many short runs counts.
"""

import asyncio
import tempfile
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from jose import jwk, jwt
from pydantic import SecretStr

from scaiflow_api.auth.tokens import SigningKey, TokenVerifier
from scaiflow_api.db.schema import upgrade
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.garbage import keep_what_is_loaded
from scaiflow_api.resources import open_resources
from scaiflow_api.settings import Api, Database, Environment, Settings, Store
from scaiflow_api.web.authentication import Authenticator

BASE, CLIENT = "https://scaikey.example", "scaiflow"
RUNS, TOKENS = 200, 100


class OneKey:
    """A ScaiKey that publishes one key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    async def find(self, kid: str) -> SigningKey | None:
        return self._key if kid == self._key.kid else None


def claims(number: int) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": f"{BASE}/tenants/tnt_acme",
        "aud": CLIENT,
        "sub": "usr_alice",
        "tenant_id": "tnt_acme",
        "scope": "openid profile email",
        "iat": now,
        "exp": now + 3600,
        "jti": f"{number:024}",
        "client_id": CLIENT,
        "email": "alice@acme.example",
        "name": "Alice Archer",
        "groups": ["grp_eng", "grp_ops"],
    }


def signed(algorithm: str) -> tuple[SigningKey, list[str], Callable[[bytes, bytes], object]]:
    """Return a published key, tokens signed by it, and the library's own check of text and signature."""
    private: Any
    if algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
    signer: Any = jwk.construct(private, algorithm)
    published = signer.public_key().to_dict()
    public = private.public_key()

    def check(text: bytes, signature: bytes) -> None:
        if algorithm == "RS256":
            public.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        else:
            public.verify(signature, text, ec.ECDSA(hashes.SHA256()))

    tokens = [
        jwt.encode(claims(number), signer, algorithm=algorithm, headers={"kid": "key-1"})
        for number in range(TOKENS)
    ]
    return SigningKey("key-1", algorithm, published), tokens, check


def taken_apart(token: str, algorithm: str) -> tuple[bytes, bytes]:
    """Return what the library wants: the signed text, and the signature in its own form."""
    text, _, encoded = token.encode().rpartition(b".")
    signature = urlsafe_b64decode(encoded + b"==")
    if algorithm == "ES256":
        halves = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        signature = utils.encode_dss_signature(*halves)
    return text, signature


async def measure(algorithm: str) -> None:
    key, tokens, check = signed(algorithm)
    parts = [taken_apart(token, algorithm) for token in tokens]
    floor, cold, warm = Best(), Best(), Best()
    for _ in range(RUNS):
        with floor:
            for text, signature in parts:
                check(text, signature)
        verifier = TokenVerifier(base_url=BASE, audiences=[CLIENT], keys=OneKey(key), clock=SystemClock())
        for best in (cold, warm):
            with best:
                for token in tokens:
                    await verifier.verify(token)
    print(
        f"  {algorithm}: the library's verify {floor.us:.1f} µs, a cold token {cold.us:.1f} µs,"
        f" {cold.us / floor.us:.2f} of it (aim: 1.5), a warm one {warm.us:.1f} µs"
    )


async def measure_caller() -> None:
    """What a request with a warm token pays for knowing its caller: signature, standing and permissions."""
    key, tokens, _ = signed("RS256")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/bench.db"
        await asyncio.to_thread(upgrade, url)
        settings = Settings(
            api=Api(env=Environment.DEVELOPMENT),
            database=Database(url=SecretStr(url)),
            store=Store(url="memory:"),
        )
        async with open_resources(settings) as resources:
            verifier = TokenVerifier(base_url=BASE, audiences=[CLIENT], keys=OneKey(key), clock=SystemClock())
            known, best = Authenticator(replace(resources, tokens=verifier)), Best()
            for _ in range(RUNS):
                with best:
                    for token in tokens:
                        await known.identify(f"Bearer {token}")
    print(f"  a warm token adds {best.us:.1f} µs to a request (aim: 60)")


class Best:
    """The least processor time of a run, in microseconds for each token."""

    us = float("inf")

    def __enter__(self) -> None:
        self._started = time.process_time_ns()

    def __exit__(self, *_: object) -> None:
        self.us = min(self.us, (time.process_time_ns() - self._started) / 1000 / TOKENS)


def main() -> None:
    keep_what_is_loaded()  # as in the server
    for algorithm in ("RS256", "ES256"):
        asyncio.run(measure(algorithm))
    asyncio.run(measure_caller())


main()
