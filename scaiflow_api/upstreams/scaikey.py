"""ScaiKey, the identity provider: its keys, and the grants of OpenID Connect that we use."""

import asyncio
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from scaiflow_api.auth.tokens import SigningKey
from scaiflow_api.kit.clock import Clock, SystemClock
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy, Upstream
from scaiflow_api.upstreams.breaker import Breakers
from scaiflow_api.upstreams.calls import Call
from scaiflow_api.upstreams.discovery import Discovery, read_discovery
from scaiflow_api.upstreams.errors import ScaiKeyNotConfigured, ScaiKeyRefused
from scaiflow_api.upstreams.failures import (
    UpstreamError,
    UpstreamNonsense,
    UpstreamRejected,
    UpstreamUnavailable,
)
from scaiflow_api.upstreams.jwks import KeyCache, read_key_set

DISCOVERY_PATH = "/api/v1/platform/oauth/.well-known/openid-configuration"
_REDISCOVER_AFTER_S = 3600.0
_RENEW_BEFORE_S = 60
_POLICY = Policy(deadline_s=10.0, max_bytes=1024 * 1024)


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What ScaiKey hands out for a code or a refresh token."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    token_type: str
    expires_in: int
    """Seconds that the access token is good for."""


class ScaiKey(Upstream):
    """ScaiKey's platform endpoints. Also the source of the keys that access tokens are checked with."""

    system = "scaikey"

    def __init__(
        self,
        http: httpx.AsyncBaseTransport,
        settings: ScaiKeySettings,
        clock: Clock | None = None,
        *,
        policy: Policy = _POLICY,
        breakers: Breakers | None = None,
    ) -> None:
        super().__init__(http, settings.base_url or "", policy, breakers=breakers)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._keys = KeyCache(self._fetch_keys, self._clock)
        self._discovery: Discovery | None = None
        self._discovered_at = 0.0
        self._service_turn = asyncio.Lock()
        self._service_token: SecretStr | None = None
        self._service_token_until = 0.0

    async def find(self, kid: str) -> SigningKey | None:
        """Return a published key. Raises ScaiKeyUnavailable, ScaiKeyNotConfigured."""
        if not self._base_url:
            raise ScaiKeyNotConfigured
        return await self._keys.find(kid)

    async def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> TokenSet:
        """Trade an authorization code for tokens; the server adds the client's secret.

        Raises ScaiKeyRefused, ScaiKeyNotConfigured, or an UpstreamError when ScaiKey does not work.
        """
        return await self._grant(
            "authorization_code", code=code, code_verifier=code_verifier, redirect_uri=redirect_uri
        )

    async def refresh(self, refresh_token: str) -> TokenSet:
        """Trade a refresh token, which is good once, for new tokens. Raises as `exchange`."""
        return await self._grant("refresh_token", refresh_token=refresh_token)

    async def service_token(self) -> SecretStr:
        """Return this service's own token, for as long as it is good for. Raises as `exchange`."""
        async with self._service_turn:
            now = self._clock.seconds()
            if self._service_token is None or now >= self._service_token_until:
                tokens = await self._grant("client_credentials")
                self._service_token = SecretStr(tokens.access_token)
                self._service_token_until = now + max(tokens.expires_in - _RENEW_BEFORE_S, 1)
            return self._service_token

    def forget_service_token(self) -> None:
        """Ask for a new one next time: this one was refused, or lacks a scope that was granted since."""
        self._service_token = None

    async def discovery(self) -> Discovery:
        """Return ScaiKey's addresses, at most an hour old unless ScaiKey does not answer. Raises UpstreamError."""
        known, now = self._discovery, self._clock.seconds()
        if known is not None and 0 <= now - self._discovered_at < _REDISCOVER_AFTER_S:
            return known
        try:
            answer = await self.send(Call(method="GET", url=self._base_url + DISCOVERY_PATH))
            self._discovery = read_discovery(answer.json(), self._base_url)
        except UpstreamError:
            if known is None:
                raise
            return known
        self._discovered_at = now
        return self._discovery

    async def close(self) -> None:
        """Stop what runs in the background; the HTTP client belongs to its opener."""
        await self._keys.close()

    async def _fetch_keys(self) -> dict[str, SigningKey]:
        found = await self.discovery()
        answer = await self.send(Call(method="GET", url=found.jwks_uri))
        return read_key_set(answer.json())

    async def _grant(self, grant_type: str, **fields: str) -> TokenSet:
        client_id, secret = self._settings.client_id, self._settings.client_secret
        if not self._base_url or not client_id or secret is None or not secret.get_secret_value():
            raise ScaiKeyNotConfigured
        found = await self.discovery()
        form = {
            "grant_type": grant_type,
            "client_id": client_id,
            "client_secret": secret.get_secret_value(),
            **fields,
        }
        try:
            answer = await self.send(
                Call(
                    method="POST",
                    url=found.token_endpoint,
                    content=urlencode(form, errors="replace").encode(),
                    content_type="application/x-www-form-urlencoded",
                    secret=secret,
                    # Somebody who makes ScaiKey fail with a made-up code must not keep others from signing in.
                    blames_upstream=grant_type == "client_credentials",
                )
            )
        except UpstreamRejected as refusal:
            _refuse(refusal)
        return _read_tokens(answer.json())


def _refuse(refusal: UpstreamRejected) -> NoReturn:
    if refusal.code is None:  # no OAuth error: this was not the token endpoint talking
        raise UpstreamUnavailable("scaikey", status=refusal.status) from None
    raise ScaiKeyRefused(scaikey_error=refusal.code, error_description=refusal.message) from None


def _read_tokens(body: object) -> TokenSet:
    if (
        not isinstance(body, dict)
        or not isinstance(access_token := body.get("access_token"), str)
        or not access_token
    ):
        raise UpstreamNonsense("scaikey", status=200, message="ScaiKey's answer holds no access token.")
    lifetime, kind = body.get("expires_in"), body.get("token_type")
    return TokenSet(
        access_token=access_token,
        refresh_token=_text(body.get("refresh_token")),
        id_token=_text(body.get("id_token")),
        token_type=kind if isinstance(kind, str) else "Bearer",
        expires_in=lifetime if isinstance(lifetime, int) and not isinstance(lifetime, bool) else 3600,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
