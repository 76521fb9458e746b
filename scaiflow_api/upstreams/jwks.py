"""ScaiKey's public keys: which of them count, and how long they are remembered."""

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from scaiflow_api.auth.tokens import SigningKey
from scaiflow_api.kit.clock import Clock
from scaiflow_api.upstreams.errors import ScaiKeyUnavailable
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamNonsense

log = structlog.get_logger(__name__)

REFRESH_AFTER_S = 300.0
STALE_AFTER_S = 600.0
"""Keys get so old only where nobody came for a while, or ScaiKey is away: who asks then waits for the newer ones."""
WAIT_FOR_NEWER_S = 1.0
"""So long at most: known keys keep working while ScaiKey is away."""
ASK_AGAIN_AFTER_S = 30.0
"""An unknown key id makes us ask at most this often: anyone can invent key ids."""
ASK_AGAIN_WITHOUT_KEYS_S = 1.0
"""As long as no key was ever had, nobody can be let in and waiting longer helps nobody."""
_RSA_BITS = range(2048, 16_384 + 1)
_ALGORITHM = {"RSA": "RS256", "EC": "ES256"}
_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}


def read_key_set(document: object) -> dict[str, SigningKey]:
    """Return the usable keys by id: RSA of 2048 to 16384 bits for RS256, P-256 for ES256, meant for signatures.

    Others are left out. Raises UpstreamNonsense when none is left.
    """
    listed = document.get("keys") if isinstance(document, Mapping) else None
    keys: dict[str, SigningKey] = {}
    for entry in listed if isinstance(listed, list) else ():
        key = _usable(entry) if isinstance(entry, Mapping) else None
        if key is not None:
            keys.setdefault(key.kid, key)
    if not keys:
        raise UpstreamNonsense("scaikey", status=200, message="ScaiKey publishes no usable signing key.")
    return keys


def _usable(entry: Mapping[str, Any]) -> SigningKey | None:
    kid, kty = entry.get("kid"), entry.get("kty")
    if not isinstance(kid, str) or not kid or not isinstance(kty, str) or kty not in _ALGORITHM:
        return None
    algorithm = _ALGORITHM[kty]
    if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return None
    # Only the public members: a private half, published by mistake, must not live here.
    public = {name: entry.get(name) for name in _PUBLIC[kty]}
    if not all(isinstance(value, str) and value for value in public.values()):
        return None
    if not (_bits(entry["n"]) in _RSA_BITS if kty == "RSA" else entry["crv"] == "P-256"):
        return None
    key = SigningKey(kid=kid, algorithm=algorithm, jwk={**public, "alg": algorithm})
    return key if key.is_usable else None


def _bits(encoded: str) -> int:
    try:
        return int.from_bytes(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))).bit_length()
    except ValueError:
        return 0


class KeyCache:
    """Remembers the keys. Known keys keep working while ScaiKey is away; unknown ones cannot be judged then."""

    def __init__(self, fetch: Callable[[], Awaitable[dict[str, SigningKey]]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._asked_for_unknown_at: float | None = None
        self._answered = False
        self._flight: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> SigningKey | None:
        """Return a key; None when ScaiKey does not publish it. Raises ScaiKeyUnavailable when that is not known."""
        key = self._keys.get(kid)
        if key is not None:
            if self._older(self._fetched_at, REFRESH_AFTER_S) and self._older(
                self._asked_at, ASK_AGAIN_AFTER_S
            ):
                self._refresh()
            if self._flight is not None and self._in_flight and self._older(self._fetched_at, STALE_AFTER_S):
                await asyncio.wait((self._flight,), timeout=WAIT_FOR_NEWER_S)
                return self._keys.get(kid)
            return key
        asked = False
        while (key := self._keys.get(kid)) is None:
            if not self._in_flight:
                if asked or not self._may_ask_for_unknown():
                    break
                asked = True
            # An answer that was on its way may be from before the key was there, so it need not be the last.
            # Shielded: others wait for the same answer when this request is cancelled.
            await asyncio.shield(self._refresh())
        if key is None and not self._answered:
            raise ScaiKeyUnavailable
        return key

    async def close(self) -> None:
        """Stop asking."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    @property
    def _in_flight(self) -> bool:
        return self._flight is not None and not self._flight.done()

    def _may_ask_for_unknown(self) -> bool:
        """Tell whether a key that is not known may be asked for, and note that it is.

        How long ago the keys were fetched for other reasons does not count: a new key may sign a moment after that.
        """
        if not self._keys:
            return self._older(self._asked_at, ASK_AGAIN_WITHOUT_KEYS_S)
        if not self._older(self._asked_for_unknown_at, ASK_AGAIN_AFTER_S):
            return False
        self._asked_for_unknown_at = self._now()
        return True

    def _refresh(self) -> asyncio.Task[None]:
        """Ask for the keys, once at a time."""
        if self._flight is None or self._flight.done():
            self._asked_at = self._now()
            self._flight = asyncio.create_task(self._replace())
        return self._flight

    async def _replace(self) -> None:
        try:
            self._keys = await self._fetch()
        except UpstreamError as failure:
            self._answered = False
            log.warning("signing keys not refreshed", failure=str(failure), known_keys=len(self._keys))
        else:
            self._answered = True
            self._fetched_at = self._now()

    def _older(self, moment: float | None, seconds: float) -> bool:
        # A clock that was set back makes everything old instead of young for ever.
        return moment is None or not 0 <= self._now() - moment < seconds

    def _now(self) -> float:
        return self._clock.seconds()
