"""Protected is the default; fixed paths come before those with parameters."""

import re

import httpx
import pytest
from fastapi import FastAPI

from scaiflow_api.app import create_app
from scaiflow_api.resources import open_resources
from scaiflow_api.settings import Settings, Store
from scaiflow_api.web.routes import SOCKET, rules

PUBLIC = {
    ("GET", "/"),
    ("GET", "/auth/callback"),
    ("GET", "/docs"),
    ("GET", "/pages/callback.js"),
    ("GET", "/pages/sign-in.js"),
    ("GET", "/pages/style.css"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/auth/config"),
    ("POST", "/api/v1/auth/exchange"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/webhooks/scaikey"),
    ("POST", "/api/v1/dev/deploy"),
}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Settings())


def test_every_route_is_protected_or_listed_here(app: FastAPI) -> None:
    assert {(rule.method, rule.path) for rule in rules(app) if rule.public} == PUBLIC


def test_every_protected_route_but_two_names_a_permission(app: FastAPI) -> None:
    unnamed = {rule.path for rule in rules(app) if not rule.public and rule.permission is None}

    assert unnamed == {"/api/v1/me", "/api/v1/tenants/me/scaigrid_credentials"}


def test_reading_needs_view_and_changing_needs_manage(app: FastAPI) -> None:
    stateless = {"/api/v1/flows/compile", "/api/v1/flows/validate"}
    for rule in rules(app):
        if rule.permission is not None:
            # Whoever may look may also say so: presence changes no flow.
            reads = rule.method in ("GET", SOCKET) or rule.path in stateless or "/presence" in rule.path
            assert rule.permission == ("scaicore:view" if reads else "scaicore:manage"), rule


def test_every_route_on_one_flow_names_a_level(app: FastAPI) -> None:
    for rule in rules(app):
        if "{flow_id}" in rule.path:
            assert rule.acl in {"view", "edit", "deploy", "admin"}, rule


def test_no_route_hides_another(app: FastAPI) -> None:
    """A path with a parameter must come after every fixed path that it would match."""
    paths = [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]
    for position, (method, path) in enumerate(paths):
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
        hidden = [
            later for verb, later in paths[position + 1 :] if verb == method and pattern.fullmatch(later)
        ]
        assert not hidden, (path, hidden)


async def test_every_protected_route_refuses_a_caller_without_a_token(app: FastAPI) -> None:
    settings = Settings(store=Store(url="memory:"))
    async with open_resources(settings) as resources:
        served = create_app(settings, resources)
        transport = httpx.ASGITransport(served, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            for rule in rules(served):
                if not rule.public and rule.method != SOCKET:
                    answer = await client.request(rule.method, re.sub(r"\{[^}]+\}", "x", rule.path))
                    assert (answer.status_code, answer.json()["detail"]["error"]) == (
                        401,
                        "not_authenticated",
                    ), rule
                    assert answer.headers["www-authenticate"] == "Bearer"
