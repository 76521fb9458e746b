"""`scaiflow token`: signs in as a browser would, through the code flow with PKCE, and keeps nothing."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from scaiflow_api.cli.environment import embed, load_settings
from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.kit.loopback import LOOPBACK
from scaiflow_api.localgrid.scaikey.people import PEOPLE, SERVICE, SERVICE_SECRET
from scaiflow_api.settings import ScaiKey

_DISCOVERY = "/api/v1/platform/oauth/.well-known/openid-configuration"
_SCOPE = "openid profile email"
_CI = "ci"


def sign_in(who: str) -> str:
    """Return an access token of a demo person, or of the service client for `ci`. Raises CommandFailed."""
    people = {person.short_name: person.id for person in PEOPLE}
    if who not in people and who != _CI:
        raise CommandFailed(f"there is no demo person '{who}'; there are {', '.join([*people, _CI])}")
    embed()
    settings = load_settings().scaikey
    if not settings.base_url or urlsplit(settings.base_url).hostname not in LOOPBACK:
        raise CommandFailed("'token' signs in at the local grid only; SCAIKEY_BASE_URL names another ScaiKey")
    try:
        with httpx.Client(timeout=10, trust_env=False) as http:
            endpoints = _json(http.get(settings.base_url.rstrip("/") + _DISCOVERY))
            if who == _CI:
                return _client_credentials(http, endpoints)
            return _authorization_code(http, endpoints, settings, people[who])
    except httpx.TransportError:
        raise CommandFailed(
            f"no local grid answers at {settings.base_url}; start one with 'make run'"
        ) from None
    except (httpx.HTTPStatusError, KeyError, IndexError, ValueError):
        raise CommandFailed(f"what answers at {settings.base_url} does not behave like ScaiKey") from None


def _client_credentials(http: httpx.Client, endpoints: dict[str, Any]) -> str:
    form = {"grant_type": "client_credentials"}
    tokens = _json(http.post(endpoints["token_endpoint"], data=form, auth=(SERVICE.id, SERVICE_SECRET)))
    return str(tokens["access_token"])


def _authorization_code(http: httpx.Client, endpoints: dict[str, Any], settings: ScaiKey, person: str) -> str:
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": settings.client_id or "",
        "redirect_uri": settings.redirect_uri,
        "scope": _SCOPE,
        "state": secrets.token_urlsafe(16),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    choice = {"decision": "allow", "person": person}
    answer = http.post(endpoints["authorization_endpoint"], params=query, data=choice)
    if answer.is_client_error:
        raise CommandFailed(
            f"the local grid does not send anybody back to {settings.redirect_uri}: is it the one of this API?"
            " SCAIFLOW_API_HOST and SCAIFLOW_API_PORT must be those that 'scaiflow dev' was started with"
        )
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": settings.redirect_uri,
    }
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    tokens = _json(http.post(endpoints["token_endpoint"], data=form, auth=(settings.client_id or "", secret)))
    return str(tokens["access_token"])


def _json(answer: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = answer.raise_for_status().json()
    return document
