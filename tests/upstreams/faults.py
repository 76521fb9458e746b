"""One table: what an upstream may answer, what may be asked of each, and what our caller is told.

`FAULTS` are answers, `CALLS` what the clients ask; `expected` says what becomes of each pair.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from pydantic import SecretStr

from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError
from scaiflow_api.upstreams.scaibunker import ScaiBunker
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaigrid_checkpoints import ScaiGridCheckpoints
from scaiflow_api.upstreams.scaikey import DISCOVERY_PATH, ScaiKey
from scaiflow_api.upstreams.scaikey_applications import ScaiKeyApplications
from scaiflow_api.upstreams.scaikey_directory import ScaiKeyDirectory
from scaiflow_api.upstreams.scaiqueue import ScaiQueue
from scaiflow_api.upstreams.scaivault import ScaiVault

TOKEN = "sk-with-signs_that.no-pattern.knows"
MESSAGE = "some message"


class _Tokens(ScaiKey):
    """Has this service's own token at hand."""

    def __init__(self) -> None:
        pass

    async def service_token(self) -> SecretStr:
        return SecretStr(TOKEN)

    def forget_service_token(self) -> None:
        pass


@cache
def _settings(base_url: str) -> tuple[ScaiGridSettings, ScaiKeySettings]:
    grid = ScaiGridSettings(_env_file=None, base_url=base_url)
    secret = SecretStr("client-secret")
    return grid, ScaiKeySettings(
        _env_file=None, base_url=base_url, client_id="scaiflow", client_secret=secret
    )


class Clients:
    """One client of each system, all at one address."""

    def __init__(self, http: httpx.AsyncBaseTransport, base_url: str, policy: Policy) -> None:
        grid_settings, key_settings = _settings(base_url)
        self.token = SecretStr(TOKEN)
        self.scaigrid = ScaiGrid(http, grid_settings, policy=policy)
        self.scaiqueue = ScaiQueue.beside(self.scaigrid)
        self.scaibunker = ScaiBunker.beside(self.scaigrid)
        self.scaikey = ScaiKey(http, key_settings, SystemClock(), policy=policy)
        self.checkpoints = ScaiGridCheckpoints.beside(self.scaigrid)
        self.applications = ScaiKeyApplications(http, base_url, self.token)
        self.applications._policy = policy
        self.directory = ScaiKeyDirectory(http, key_settings, _Tokens(), policy=policy)
        self.vault = ScaiVault(http, base_url, _Tokens(), policy=policy)

    async def tenants(self) -> list[Any]:
        return [rows async for rows in self.directory.tenants()]


@dataclass(frozen=True)
class Asked:
    """One thing that is asked of one system."""

    system: str
    method: str
    path: str
    ask: Callable[[Clients], Awaitable[Any]]
    good: Any
    """A good answer to it."""
    wrong: Mapping[str, Any]
    """Answers in a wrong envelope, and of wrong types."""
    accepts: frozenset[str] = frozenset()
    """Bad answers to which it has no objection, by name."""
    sends: str = TOKEN
    """The secret that it sends, and that the upstream quotes."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """What is asked, and answered well, before: path and answer."""

    @property
    def name(self) -> str:
        return f"{self.system} {self.method} {self.path}"


_LIST_GONE_WRONG = {
    "wrong envelope": {"result": []},
    "wrong types": {"data": {"items": "text"}},
    "a bare value": 7,
}
_OBJECT_GONE_WRONG = {
    "wrong envelope": {"id": "core_1"},
    "wrong types": {"data": {"id": 7, "status": []}},
    "a bare value": "text",
}
_CORES = "/v1/modules/scaicore/cores"
_CHECKPOINTS = "/v1/modules/scaicore/checkpoints"
_DISCOVERY = {
    "issuer": "https://up.test",
    "jwks_uri": "https://up.test/jwks",
    "token_endpoint": "https://up.test/token",
}
_SECRET = "/v1/secrets/tenants/tnt_acme/scaigrid_api_key"

CALLS = [
    Asked(
        "scaigrid",
        "GET",
        "/v1/models",
        lambda to: to.scaigrid.models(to.token),
        {"data": []},
        _LIST_GONE_WRONG,
    ),
    Asked(
        "scaigrid",
        "POST",
        _CORES,
        lambda to: to.scaigrid.create_core(to.token, b"core: {}"),
        {"data": {"id": "core_1"}},
        _OBJECT_GONE_WRONG,
    ),
    Asked(
        "scaigrid",
        "PUT",
        f"{_CORES}/core_1",
        lambda to: to.scaigrid.replace_core(to.token, "core_1", b"core: {}"),
        {"data": {"id": "core_1"}},
        _OBJECT_GONE_WRONG,
    ),
    Asked(
        "scaigrid",
        "POST",
        f"{_CORES}/core_1/invoke",
        lambda to: to.scaigrid.invoke(to.token, "core_1", {}, timeout_s=0.3),
        {"data": {"status": "COMPLETED"}},
        _OBJECT_GONE_WRONG,
    ),
    Asked(
        "scaigrid",
        "GET",
        "/v1/modules/scaicore/events",
        lambda to: to.scaigrid.events(to.token, limit=5),
        {"data": {"events": []}},
        {**_LIST_GONE_WRONG, "wrong types": {"data": {"events": ["text"]}}},
    ),
    Asked(
        "scaigrid",
        "GET",
        _CHECKPOINTS,
        lambda to: to.checkpoints.page(to.token, limit=5),
        {"data": []},
        _LIST_GONE_WRONG,
    ),
    Asked(
        "scaigrid",
        "GET",
        f"{_CHECKPOINTS}/chk_1",
        lambda to: to.checkpoints.get(to.token, "chk_1"),
        {"data": {"id": "chk_1"}},
        {**_OBJECT_GONE_WRONG, "wrong types": {"data": {"id": 7}}},
    ),
    Asked(
        "scaigrid",
        "POST",
        f"{_CHECKPOINTS}/chk_1/resolve",
        lambda to: to.checkpoints.resolve(to.token, "chk_1", "approve"),
        {"data": {"id": "chk_1"}},
        {**_OBJECT_GONE_WRONG, "wrong types": {"data": {"id": 7}}},
    ),
    Asked(
        "scaiqueue",
        "GET",
        "/v1/modules/scaiqueue/scopes",
        lambda to: to.scaiqueue.scopes(to.token),
        {"data": []},
        _LIST_GONE_WRONG,
    ),
    Asked(
        "scaiqueue",
        "GET",
        "/v1/modules/scaiqueue/scopes/sc_1/queues",
        lambda to: to.scaiqueue.queues(to.token, "sc_1"),
        {"data": []},
        _LIST_GONE_WRONG,
    ),
    Asked(
        "scaiqueue",
        "POST",
        "/v1/modules/scaiqueue/scopes",
        lambda to: to.scaiqueue.create_scope(to.token, "support"),
        {"data": {"id": "sc_1"}},
        _OBJECT_GONE_WRONG,
    ),
    Asked(
        "scaiqueue",
        "POST",
        "/v1/modules/scaiqueue/scopes/sc_1/queues",
        lambda to: to.scaiqueue.create_queue(to.token, "sc_1", "review"),
        {"data": {"id": "q_1"}},
        _OBJECT_GONE_WRONG,
    ),
    Asked(
        "scaibunker",
        "GET",
        "/v1/modules/scaibunker/bunkers",
        lambda to: to.scaibunker.bunkers(to.token),
        {"data": [], "has_more": False},
        _LIST_GONE_WRONG,
    ),
    Asked(
        "scaikey",
        "GET",
        DISCOVERY_PATH,
        lambda to: to.scaikey.discovery(),
        _DISCOVERY,
        {
            "wrong envelope": {"data": _DISCOVERY},
            "wrong types": {**_DISCOVERY, "jwks_uri": 7},
            "a bare value": 7,
        },
        sends="",
    ),
    Asked(
        "scaikey",
        "POST",
        "/token",
        lambda to: to.scaikey.refresh("refresh-token"),
        {"access_token": "x"},
        {
            "wrong envelope": {"data": {"access_token": "x"}},
            "wrong types": {"access_token": 7},
            "a bare value": 7,
        },
        sends="client-secret",
        before={DISCOVERY_PATH: _DISCOVERY},
    ),
    Asked(
        "scaikey",
        "GET",
        "/api/v1/admin/tenants/",
        lambda to: to.tenants(),
        {"items": [], "total": 0},
        {"wrong envelope": {"result": []}, "wrong types": {"items": "text"}, "a bare value": 7},
    ),
    Asked(
        "scaikey",
        "POST",
        "/api/v1/admin/applications/",
        lambda to: to.applications.create("ScaiFlow", [], []),
        {"id": "app_1", "client_secret": "x"},
        {"wrong envelope": {"result": {}}, "wrong types": {"id": 7, "client_secret": "x"}, "a bare value": 7},
    ),
    Asked(
        "scaivault",
        "GET",
        _SECRET,
        lambda to: to.vault.read("tnt_acme", "scaigrid_api_key"),
        {"version": 1, "data": {"value": "x"}},
        {
            "wrong envelope": {"secret": {"value": "x"}},
            "wrong types": {"version": "one", "data": {"value": "x"}},
            "a bare value": 7,
        },
    ),
    Asked(
        "scaivault",
        "PUT",
        _SECRET,
        lambda to: to.vault.write("tnt_acme", "scaigrid_api_key", {"value": "x"}),
        {"version": 1},
        {"wrong envelope": {}, "wrong types": {"version": "one"}, "a bare value": 7},
        # What a vault says to a write is not documented.
        accepts=frozenset({"empty body", "wrong envelope", "wrong types", "a bare value"}),
    ),
]

Met = httpx.Response | Exception


@dataclass(frozen=True)
class Fault:
    """What is met instead of a good answer."""

    name: str
    met: Callable[[Asked], Met]
    status: int | None = None
    """The upstream's own, where there was an answer."""
    words: bool = False
    """Whether it says what is wrong, in a documented envelope."""
    retry_after: str | None = None
    tried: int = 1
    """How often a call is tried that may be repeated."""
    tried_unsafe: int = 1
    """How often one is tried that may not."""


def _refusal(status: int, **headers: str) -> Callable[[Asked], Met]:
    def met(asked: Asked) -> Met:
        error = {"code": "SOME_CODE", "message": f"{MESSAGE} {asked.sends}"}
        return httpx.Response(status, json={"status": "error", "error": error}, headers=headers)

    return met


def _page(status: int) -> Callable[[Asked], Met]:
    return lambda asked: httpx.Response(status, html=f"<html>{asked.sends}</html>")


def _raw(content: bytes, status: int = 200, **headers: str) -> Callable[[Asked], Met]:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return lambda _: httpx.Response(status, content=content, headers=raw)


def _wrong(kind: str) -> Callable[[Asked], Met]:
    return lambda asked: httpx.Response(200, json=asked.wrong[kind])


def _raised(kind: type[httpx.TransportError]) -> Callable[[Asked], Met]:
    return lambda asked: kind(asked.sends)


_DEEP = b'{"data":' + b"[" * 600 + b"]" * 600 + b"}"
_ELSEWHERE = {"Location": "https://elsewhere.test/"}

FAULTS = [
    *(Fault(f"{status}", _refusal(status), status, words=True) for status in (401, 403, 404, 409, 422)),
    *(Fault(f"{status} as a page", _page(status), status) for status in (401, 403, 404, 409, 422)),
    *(Fault(f"{status} empty", _raw(b"", status), status) for status in (401, 403, 404, 409, 422)),
    Fault("429", _refusal(429), 429, words=True),
    Fault("429, later", _refusal(429, **{"Retry-After": "15"}), 429, words=True, retry_after="15"),
    Fault("429 as a page", _page(429), 429),
    Fault("429, deep", _raw(_DEEP, 429), 429),
    Fault("429, no header", _raw(b"", 429, **{"Retry-After": "später €"}), 429),
    Fault("429, long header", _raw(b"", 429, **{"Retry-After": "1" * 5000}), 429),
    Fault("500", _refusal(500), 500, words=True),
    Fault("500 as a page", _page(500), 500),
    *(Fault(f"{status}", _refusal(status), status, words=True, tried=3) for status in (502, 503)),
    *(Fault(f"{status} as a page", _page(status), status, tried=3) for status in (502, 503)),
    Fault("empty body", _raw(b""), 200),
    Fault("page", _page(200), 200),
    Fault("cut JSON", _raw(b'{"data": [{"id": "x"'), 200),
    Fault("deep JSON", _raw(_DEEP), 200),
    Fault("deeper JSON", _raw(b"[" * 50_000), 200),
    Fault("lone surrogate", _raw(b'{"data": "\\ud800"}'), 200),
    *(Fault(kind, _wrong(kind), 200) for kind in ("wrong envelope", "wrong types", "a bare value")),
    Fault("too long", _raw(b" " * 100_001), 200),
    *(Fault(f"redirect {status}", _raw(b"", status, **_ELSEWHERE), status) for status in (301, 302, 307)),
    Fault("304", _raw(b"", 304), 304),
    Fault("refused connection", _raised(httpx.ConnectError), tried=3, tried_unsafe=3),
    Fault("silent host", _raised(httpx.ConnectTimeout), tried=3, tried_unsafe=3),
    Fault("cut off", _raised(httpx.ReadError), tried=3),
    Fault("no HTTP", _raised(httpx.RemoteProtocolError), tried=3),
    Fault("no answer", _raised(httpx.ReadTimeout), tried=3),
]


def expected(asked: Asked, fault: Fault) -> tuple[int, str]:
    """Return status and code of what our caller is told."""
    if fault.name == "no answer":
        return 504, f"{asked.system}_timeout"
    if fault.status == 429:
        return 429, f"{asked.system}_busy"
    if asked.path == "/token" and fault.words and fault.status is not None and fault.status < 500:
        return 400, "scaikey_refused"  # an OAuth error: the code or token that the caller sent is not good
    refused = fault.status in {401, 403}
    return 502, f"{asked.system}_{'auth' if refused and asked.system in WITH_PERMISSIONS else 'api'}"


WITH_PERMISSIONS = {"scaigrid", "scaiqueue", "scaibunker"}
"""Systems that are asked with the caller's credential, so that a refusal is the caller's to mend."""


def attempts(asked: Asked, fault: Fault) -> int:
    """Return how often it is tried."""
    if fault.status == 401 and asked.path in {_SECRET, "/api/v1/admin/tenants/"}:
        return 2  # once more with a new token of our own
    return fault.tried if asked.method in {"GET", "PUT"} else fault.tried_unsafe


def told(failure: BaseException) -> AppError:
    """Return what our caller is told."""
    if isinstance(failure, AppError):
        return failure
    assert isinstance(failure, UpstreamError), repr(failure)
    return as_app_error(failure)
