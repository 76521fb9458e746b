"""ScaiKey's applications: the OAuth clients that an administrator registers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from scaiflow_api.upstreams.base import Policy, Upstream
from scaiflow_api.upstreams.calls import Call, segment
from scaiflow_api.upstreams.failures import UpstreamNonsense
from scaiflow_api.upstreams.scaikey_pages import Row, pages
from scaiflow_api.upstreams.scaikey_rows import read_id

_PATH = "/api/v1/admin/applications/"
_NEEDS = "admin:write"


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client. `secret` is told when it is made, and never again."""

    id: str
    client_id: str
    name: str | None
    scope: str | None
    redirect_uris: tuple[str, ...]
    allowed_scopes: tuple[str, ...]
    secret: SecretStr | None = field(default=None, repr=False)


class ScaiKeyApplications(Upstream):
    """Registers applications in an administrator's name. Every method raises UpstreamError."""

    system = "scaikey"

    def __init__(self, http: httpx.AsyncBaseTransport, base_url: str, bearer: SecretStr) -> None:
        super().__init__(http, base_url, Policy())
        self._bearer = bearer

    async def all(self) -> Sequence[Application]:
        """Return the applications that the administrator may see."""

        async def page(number: int, size: int) -> Any:
            return await self._ask("GET", _PATH, params={"page": number, "per_page": size})

        read = [_read(row) async for rows in pages(page) for row in rows]
        return [application for application in read if application is not None]

    async def create(
        self, name: str, redirect_uris: Sequence[str], allowed_scopes: Sequence[str]
    ) -> Application:
        """Register a confidential client of the platform, for sign-in and for its own tokens."""
        order = {
            "name": name,
            "application_type": "WEB",
            "scope": "GLOBAL",
            "redirect_uris": list(redirect_uris),
            "allowed_scopes": list(allowed_scopes),
        }
        return _with_secret(await self._ask("POST", _PATH, order))

    async def change(
        self, application: Application, *, redirect_uris: Sequence[str], allowed_scopes: Sequence[str]
    ) -> None:
        """Replace both lists."""
        changed = {"redirect_uris": list(redirect_uris), "allowed_scopes": list(allowed_scopes)}
        await self._ask("PATCH", _PATH + segment(application.id), changed)

    async def renew_secret(self, application: Application) -> Application:
        """Give it a new secret; the old one ends. ScaiKey's pages do not name the address: this is our guess."""
        return _with_secret(await self._ask("POST", f"{_PATH}{segment(application.id)}/regenerate-secret"))

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        call = Call(
            method=method,
            url=self._base_url + path,
            bearer=self._bearer,
            params=params or {},
            content=None if body is None else orjson.dumps(body),
            needs=_NEEDS,
        )
        answer = await self.send(call)
        return answer.json() if answer.content else {}


def _with_secret(body: Any) -> Application:
    inner = body.get("data", body) if isinstance(body, Mapping) else None
    application = _read(inner) if isinstance(inner, Mapping) else None
    if application is None or application.secret is None:
        raise UpstreamNonsense(
            "scaikey", status=200, message="ScaiKey's answer holds no client with a secret."
        )
    return application


def _read(row: Row) -> Application | None:
    application_id = read_id(row, "id", "app_id", "application_id")
    client_id = read_id(row, "client_id") or application_id
    if application_id is None or client_id is None:
        return None
    secret, name, scope = row.get("client_secret"), row.get("name"), row.get("scope")
    return Application(
        application_id,
        client_id,
        name if isinstance(name, str) else None,
        scope if isinstance(scope, str) else None,
        _texts(row.get("redirect_uris")),
        _texts(row.get("allowed_scopes")),
        SecretStr(secret) if isinstance(secret, str) and secret else None,
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
