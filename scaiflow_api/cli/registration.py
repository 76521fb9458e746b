"""What registering does at ScaiKey. Done again it finds what is there, and changes only what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.settings import ScaiGrid
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.errors import ScaiKeyRefused, as_app_error
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamRejected
from scaiflow_api.upstreams.scaikey import ScaiKey
from scaiflow_api.upstreams.scaikey_applications import Application, ScaiKeyApplications

SCOPES = ("openid", "profile", "email", "admin:read", "admin:write", "users:read", "groups:read")
"""What people's tokens carry, and what the sync needs; `admin:write` because ScaiKey's documentation asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be registered, and what is known of it."""

    base_url: str
    name: str
    redirect_uris: Sequence[str]
    scopes: Sequence[str]
    """Further ones."""
    client_id: str | None
    secret: SecretStr | None = field(repr=False)
    new_secret: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """The client as it is now."""

    application_id: str
    client_id: str
    secret: SecretStr = field(repr=False)
    how: str
    """A few words for the person at the terminal."""


async def carry_out(order: Order, credential: SecretStr, *, as_client: str | None) -> Registered:
    """Register; the credential is an administrator's token, or the secret of the client `as_client`.

    Raises CommandFailed.
    """
    async with open_transport(ScaiGrid()) as http:
        try:
            bearer = await _token(http, order.base_url, as_client, credential) if as_client else credential
            return await _Registration(order, http, ScaiKeyApplications(http, order.base_url, bearer)).run()
        except ScaiKeyRefused as refusal:
            raise CommandFailed(f"ScaiKey does not know {as_client} with that secret: {refusal}") from None
        except UpstreamRejected as refusal:
            raise CommandFailed(_explained(refusal)) from None
        except UpstreamError as failure:
            raise CommandFailed(f"ScaiKey at {order.base_url}: {as_app_error(failure)}") from None


class _Registration:
    def __init__(
        self, order: Order, http: httpx.AsyncBaseTransport, applications: ScaiKeyApplications
    ) -> None:
        self._order = order
        self._http = http
        self._applications = applications
        self._scopes = (*SCOPES, *order.scopes)

    async def run(self) -> Registered:
        known = self._known(await self._applications.all())
        if known is None:
            made = await self._applications.create(
                self._order.name, self._order.redirect_uris, _together((), self._scopes)
            )
            return _registered(made, "was registered")
        if self._order.new_secret:
            changed = await self._complete(known)
            renewed = await self._renewed(known)
            return _registered(renewed, "has a new secret" + changed)
        secret = await self._secret_of(known)
        changed = await self._complete(known)
        return Registered(known.id, known.client_id, secret, "is registered" + changed)

    def _known(self, there: Sequence[Application]) -> Application | None:
        """Return the client of the file, else the one of the name."""
        for application in there:
            if application.client_id == self._order.client_id:
                return application
        named = [one for one in there if one.name == self._order.name and one.scope in {"GLOBAL", None}]
        if len(named) > 1:
            ids = ", ".join(one.client_id for one in named)
            raise CommandFailed(
                f"several applications are called '{self._order.name}': {ids}; choose a --name"
            )
        return named[0] if named else None

    async def _secret_of(self, known: Application) -> SecretStr:
        """Return the secret that the file holds, if ScaiKey takes it."""
        held = self._order.secret if known.client_id == self._order.client_id else None
        if held is not None:
            try:
                await _token(self._http, self._order.base_url, known.client_id, held)
            except ScaiKeyRefused:
                held = None
        if held is None:
            raise CommandFailed(
                f"'{self._order.name}' is registered as {known.client_id}, but the file does not hold its secret:"
                " run again with --new-secret (the old one ends), or choose another --name"
            )
        return held

    async def _complete(self, known: Application) -> str:
        """Add the scopes and addresses that are missing; those of others stay."""
        scopes = _together(known.allowed_scopes, self._scopes)
        addresses = _together(known.redirect_uris, self._order.redirect_uris)
        if (scopes, addresses) == (list(known.allowed_scopes), list(known.redirect_uris)):
            return ""
        await self._applications.change(known, redirect_uris=addresses, allowed_scopes=scopes)
        return ", with what it lacked"

    async def _renewed(self, known: Application) -> Application:
        try:
            return await self._applications.renew_secret(known)
        except UpstreamRejected as refusal:
            if refusal.status not in {404, 405}:
                raise
            raise CommandFailed(
                f"this ScaiKey gives {known.client_id} no new secret over its API: make one on its admin page, and"
                " set SCAIFLOW_SCAIKEY_CLIENT_ID and SCAIFLOW_SCAIKEY_CLIENT_SECRET"
            ) from None


async def _token(
    http: httpx.AsyncBaseTransport, base_url: str, client_id: str, secret: SecretStr
) -> SecretStr:
    scaikey = ScaiKey(http, ScaiKeySettings(base_url=base_url, client_id=client_id, client_secret=secret))
    return await scaikey.service_token()


def _registered(made: Application, how: str) -> Registered:
    assert made.secret is not None
    return Registered(made.id, made.client_id, made.secret, how)


def _together(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*first, *second)))


def _explained(refusal: UpstreamRejected) -> str:
    reason = refusal.message or f"status {refusal.status}"
    if refusal.no_access:
        return (
            f"ScaiKey refuses that: {reason}. Registering needs the token of a super_admin, or a platform client"
            " with admin:write"
        )
    return f"ScaiKey does not register that: {reason}"
