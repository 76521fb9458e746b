"""A client of ScaiFlow's own API, for commands that go through it."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from scaiflow_api import __version__
from scaiflow_api.cli.environment import load_settings
from scaiflow_api.cli.failure import CommandFailed, Unusable
from scaiflow_api.upstreams.addresses import UnusableAddress, base_url_of
from scaiflow_api.upstreams.connections import trusted_authorities

if TYPE_CHECKING:
    from scaiflow_api.settings import Settings

_PATH = "/api/v1"
_CONNECT_S = 10.0
_ANSWER_S = 300.0
"""Longer than a deploy that waits for its turn, for its Core and for its model may take."""


class ApiRefused(Exception):
    """The API answered an error; `detail` is what it says."""

    def __init__(self, status: int, detail: Mapping[str, Any]) -> None:
        super().__init__(detail.get("error"))
        self.status = status
        self.detail = detail


class ScaiFlowApi:
    """Calls one API with one token. Closed by leaving it as a context manager."""

    def __init__(self, url: str, token: str | None, *, answer_s: float = _ANSWER_S) -> None:
        """Take the address with or without `/api/v1`, and the token, else that of SCAIFLOW_TOKEN. Raises Unusable."""
        settings = load_settings()
        self._http = httpx.Client(
            base_url=_address(url) + _PATH,
            headers={
                "Authorization": f"Bearer {_token(token, settings)}",
                "Accept": "application/json",
                "User-Agent": f"scaiflow/{__version__}",
            },
            timeout=httpx.Timeout(answer_s, connect=_CONNECT_S),
            verify=trusted_authorities(settings.scaigrid.ca_file),
            follow_redirects=False,  # the token would travel along
            trust_env=False,
        )
        self._url = url

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, httpx.Headers]:
        """Return the answer's JSON and headers. Raises ApiRefused; CommandFailed where no such API answers."""
        try:
            answer = self._http.request(method, path, json=body, params=params, headers=headers)
        except httpx.TimeoutException:
            raise CommandFailed(f"ScaiFlow at {self._url} does not answer in time") from None
        except httpx.TransportError:
            raise CommandFailed(f"ScaiFlow at {self._url} cannot be reached") from None
        try:
            found = answer.json() if answer.content else None
        except ValueError:
            found = None
        if answer.is_success and found is not None:
            return found, answer.headers
        detail = found.get("detail") if isinstance(found, dict) else None
        if answer.is_error and isinstance(detail, dict):
            raise ApiRefused(answer.status_code, detail)
        raise CommandFailed(
            f"what answers at {self._url} is not ScaiFlow's API: {answer.status_code} to {method} {_PATH}{path}"
        )


def _address(url: str) -> str:
    try:
        return base_url_of(url, allow_http=True).removesuffix(_PATH)
    except UnusableAddress as reason:
        raise Unusable(f"the address of ScaiFlow {reason}") from None


def _token(given: str | None, settings: "Settings") -> str:
    kept = settings.client.token
    text = (given if given is not None else kept.get_secret_value() if kept else "").strip()
    if not text:
        raise Unusable("no access token: set SCAIFLOW_TOKEN, or give one with --token")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Unusable("the access token has characters that no token has")
    return text
