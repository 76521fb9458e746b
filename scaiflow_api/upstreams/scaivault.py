"""ScaiVault, the keeper of secrets. We ask with this service's own token, and name the tenant in the path."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from scaiflow_api.kit.secrets import Secret
from scaiflow_api.upstreams.answers import Answer
from scaiflow_api.upstreams.base import Policy, Upstream
from scaiflow_api.upstreams.breaker import Breakers
from scaiflow_api.upstreams.calls import Call
from scaiflow_api.upstreams.errors import ScaiKeyRefused
from scaiflow_api.upstreams.failures import UpstreamNonsense, UpstreamRejected, UpstreamUnavailable
from scaiflow_api.upstreams.scaikey import ScaiKey

NOT_FOUND = "secret_not_found"
_POLICY = Policy(deadline_s=10.0, max_bytes=256 * 1024)
_PLAIN = re.compile(rb"[a-z0-9_]")


class ScaiVault(Upstream):
    """A `TenantSecrets`. Every method raises UpstreamError, and what getting a token raises."""

    system = "scaivault"

    def __init__(
        self,
        http: httpx.AsyncBaseTransport,
        base_url: str,
        scaikey: ScaiKey,
        *,
        policy: Policy = _POLICY,
        breakers: Breakers | None = None,
    ) -> None:
        super().__init__(http, base_url, policy, breakers=breakers)
        self._scaikey = scaikey

    async def read(self, tenant_id: str, name: str) -> Secret | None:
        """Return the newest version of a secret; None where there is none."""
        try:
            return _read_secret(await self._send("GET", tenant_id, name, needs="secrets:read"))
        except UpstreamRejected as refusal:
            # Another 404 does not say that there is no secret: this is not the address of a vault.
            if refusal.status == 404 and refusal.code == NOT_FOUND:
                return None
            raise

    async def write(self, tenant_id: str, name: str, data: Mapping[str, str | None]) -> int | None:
        """Keep a new version and return its number; what a vault says to a write is not documented."""
        body = orjson.dumps({"data": dict(data), "secret_type": "kv"})
        return _version(await self._send("PUT", tenant_id, name, content=body, needs="secrets:write"))

    async def _send(self, method: str, tenant_id: str, name: str, **options: Any) -> Answer:
        url = f"{self._base_url}/v1/secrets/tenants/{path_part(tenant_id)}/{name}"
        call = partial(Call, method=method, url=url, **options)
        theirs = self.on_behalf_of(tenant_id)
        try:
            return await theirs.send(call(bearer=await self._token()))
        except UpstreamRejected as refusal:
            if refusal.status != 401:
                raise
            # The keys may have been rotated, or the client changed: a new token may do.
            self._scaikey.forget_service_token()
            return await theirs.send(call(bearer=await self._token()))

    async def _token(self) -> SecretStr:
        try:
            return await self._scaikey.service_token()
        except ScaiKeyRefused as refusal:  # our own client, so it is nothing that the caller could mend
            raise UpstreamUnavailable(
                "scaikey",
                code=refusal.fields["scaikey_error"],
                message="ScaiKey refused this service's own client.",
            ) from None


def path_part(id_: str) -> str:
    """Write an id in the vault's alphabet, `a-z 0-9 - _`, so that it can be told again; most stay as they are.

    A byte outside becomes `--` and two hexadecimal digits. So does a hyphen that is followed by another byte
    written so, or by a hyphen: two hyphens in a row always begin such a byte.
    """
    raw = id_.encode()
    written = ""
    for position in range(len(raw) - 1, -1, -1):
        byte = raw[position : position + 1]
        literal = _PLAIN.fullmatch(byte) or (byte == b"-" and not written.startswith("-"))
        written = (byte.decode() if literal else f"--{byte.hex()}") + written
    return written


def _read_secret(answer: Answer) -> Secret:
    body, version = answer.json(), _version(answer)
    data = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(data, Mapping) or version is None:
        raise UpstreamNonsense("scaivault", status=answer.status)
    texts = {key: value for key, value in data.items() if value is None or isinstance(value, str)}
    return Secret(texts, version)


def _version(answer: Answer) -> int | None:
    body = answer.json() if answer.content else None
    version = body.get("version") if isinstance(body, Mapping) else None
    return version if isinstance(version, int) and not isinstance(version, bool) else None
