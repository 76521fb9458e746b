"""What the tests of the local grid share: a clock, a running grid, a browser that signs in."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from fastapi import FastAPI

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid import GridConfig, create_grid

BASE = "http://127.0.0.1:8002"
CLIENT_ID = "scaiflow-local"
CLIENT_SECRET = "local secret+1"
REDIRECT = "http://localhost:5173/auth/callback"
OAUTH = "/scaikey/api/v1/platform/oauth"
SCAICORE = "/scaigrid/v1/modules/scaicore"
SCAIQUEUE = "/scaigrid/v1/modules/scaiqueue"
SCAIBUNKER = "/scaigrid/v1/modules/scaibunker"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class FakeClock(Clock):
    def __init__(self) -> None:
        self.moment = datetime(2026, 4, 29, 12, 34, 56, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def a_config(database: Path, **changed: Any) -> GridConfig:
    config = GridConfig(
        database=database,
        base_url=BASE,
        api_client_id=CLIENT_ID,
        api_client_secret=CLIENT_SECRET,
        redirect_uris=(REDIRECT, "http://127.0.0.1:8001/auth/callback"),
        api_key="sgk_local_development",
    )
    return replace(config, **changed)


@dataclass
class RunningGrid:
    """A grid in this process, its clock, and a client on its wire."""

    http: httpx.AsyncClient
    clock: FakeClock
    app: FastAPI

    def query(self, **changed: str | None) -> dict[str, str]:
        """Return a good authorization request; a None removes a parameter."""
        good: dict[str, str | None] = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT,
            "scope": "openid profile email",
            "state": "st&te",
            "nonce": "n0nce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (good | changed).items() if value is not None}

    async def choose(self, person: str = "usr_alice", **changed: str | None) -> httpx.Response:
        """Pick a person on the page of an authorization request."""
        return await self.http.post(
            f"{OAUTH}/authorize", params=self.query(**changed), data={"decision": "allow", "person": person}
        )

    async def code(self, person: str = "usr_alice", **changed: str | None) -> str:
        return returned(await self.choose(person, **changed))["code"]

    async def token(self, **form: str | None) -> httpx.Response:
        """Ask the token endpoint with the API's credentials in the body; a None removes a field."""
        fields = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | form
        return await self.http.post(f"{OAUTH}/token", data={k: v for k, v in fields.items() if v is not None})

    async def redeem(self, code: str, /, **changed: str | None) -> httpx.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return await self.token(**form | changed)

    async def sign_in(self, person: str) -> dict[str, Any]:
        """Return the tokens of a person."""
        response = await self.redeem(await self.code(person))
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    async def caller(self, person: str) -> "Caller":
        return Caller(self.http, (await self.sign_in(person))["access_token"])


@dataclass
class Caller:
    """Somebody who calls ScaiGrid."""

    http: httpx.AsyncClient
    bearer: str

    async def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.bearer}"} | request.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **request)

    async def deploy(self, manifest: str) -> httpx.Response:
        return await self(
            "POST", f"{SCAICORE}/cores", content=manifest, headers={"Content-Type": "application/yaml"}
        )

    async def running(self, manifest: str) -> str:
        """Deploy and start a Core; return its id."""
        response = await self.deploy(manifest)
        assert response.status_code == 201, response.text
        core_id: str = response.json()["data"]["id"]
        started = await self("POST", f"{SCAICORE}/cores/{core_id}/start")
        assert started.status_code == 200, started.text
        return core_id

    async def invoke(self, core_id: str, **body: Any) -> dict[str, Any]:
        response = await self("POST", f"{SCAICORE}/cores/{core_id}/invoke", json=body)
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    async def events(self, **params: Any) -> dict[str, Any]:
        response = await self("GET", f"{SCAICORE}/events", params=params)
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data


def returned(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of a redirect to the client."""
    assert response.status_code == 302, response.text
    location = response.headers["location"]
    assert location.startswith(f"{REDIRECT}?"), location
    return dict(parse_qsl(urlsplit(location).query))


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims unchecked."""
    return _part(token, 1)


def header_of(token: str) -> dict[str, Any]:
    return _part(token, 0)


def _part(token: str, index: int) -> dict[str, Any]:
    encoded = token.split(".")[index]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return decoded


def error_of(response: httpx.Response) -> Mapping[str, Any]:
    """Return the error of a ScaiGrid envelope, having checked its shape."""
    body = response.json()
    assert body["status"] == "error"
    assert body["meta"]["request_id"] == response.headers["x-request-id"]
    error: Mapping[str, Any] = body["error"]
    return error


@asynccontextmanager
async def running_grid(
    config: GridConfig, clock: FakeClock | None = None, **parts: Any
) -> AsyncIterator[RunningGrid]:
    clock = clock or FakeClock()
    app = create_grid(config, clock=clock, **parts)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http,
    ):
        yield RunningGrid(http, clock, app)


ECHO = """\
core:
  name: echo-agent
  mode: stateless
  runtime_version: "0.2"
  identity:
    provider: scaikey
    persona: Echo Agent
  model: scaigrid/openai/gpt-4o
  plugins: []
  capabilities: []
  flows:
    - name: echo-agent
      trigger:
        type: api
      steps:
        - llm_turn: "Repeat the user's message exactly: {{message}}"
          llm_role: primary
          output_schema:
            response: string
          input_bindings:
            message: "{{message}}"
          meta:
            node_id: node_echo
            node_kind: llm_flexible
            node_label: Echo
            node_config:
              goal: "Repeat the user's message exactly: {{message}}"
  scaiflow_meta:
    source_id: flow_echo0000001
    source_version: 1.0.0
    scaicore_target: "0.2"
    models:
      - role: primary
        ref: scaigrid
        model: openai/gpt-4o
        modalities: [text, structured_output]
    publish_as_model: true
    model_visibility_group_ids: []
"""


def echo(name: str = "echo-agent", *, source_id: str = "flow_echo0000001") -> str:
    """Return the echo agent's manifest under another name."""
    return ECHO.replace("echo-agent", name).replace("flow_echo0000001", source_id)
