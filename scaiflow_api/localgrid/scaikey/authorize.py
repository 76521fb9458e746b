"""The authorization endpoint: a page to pick a demo person, then a code for the client."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NoReturn
from urllib.parse import urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import RedirectResponse, Response

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaikey.discovery import TenantDep
from scaiflow_api.localgrid.scaikey.errors import NEVER_CACHED
from scaiflow_api.localgrid.scaikey.grants import SESSION_LIFE_S, Grants, NewCode
from scaiflow_api.localgrid.scaikey.page import choice_page, message_page
from scaiflow_api.localgrid.scaikey.people import SERVICE, Client, Principal, Tenant

COOKIE = "scaikey_session"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_PROMPTS = {"none", "login", "select_account"}
_LONGEST = 2048

router = APIRouter()


class CannotReturn(Exception):
    """The request names no client to return to, so the person is told instead."""


class Declined(Exception):
    """A refusal that the client is told by redirect (RFC 6749 §4.1.2.1)."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, description: str) -> None:
        super().__init__(description)
        self.location = _with_query(redirect_uri, error=error, error_description=description, state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request in which everything was checked."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None
    nonce: str | None
    code_challenge: str | None
    prompt: str | None
    login_hint: str | None

    def decline(self, error: str, description: str) -> NoReturn:
        raise Declined(self.redirect_uri, self.state, error, description)


@router.get("/platform/oauth/authorize")
async def platform_authorize(request: Request, grid: GridDep) -> Response:
    return await _ask(request, grid, None)


@router.post("/platform/oauth/authorize")
async def platform_choose(
    request: Request,
    grid: GridDep,
    decision: Annotated[str, Form()] = "",
    person: Annotated[str, Form()] = "",
) -> Response:
    return await _decide(request, grid, None, decision, person)


@router.get("/auth/tenants/{slug}/oauth/authorize")
async def tenant_authorize(request: Request, tenant: TenantDep, grid: GridDep) -> Response:
    return await _ask(request, grid, tenant)


@router.post("/auth/tenants/{slug}/oauth/authorize")
async def tenant_choose(
    request: Request,
    tenant: TenantDep,
    grid: GridDep,
    decision: Annotated[str, Form()] = "",
    person: Annotated[str, Form()] = "",
) -> Response:
    return await _decide(request, grid, tenant, decision, person)


def install(app: FastAPI) -> None:
    """Make `app` answer refused authorization requests: to the client where that is safe, else to the person."""

    async def tell_person(_: Request, exc: Exception) -> Response:
        return message_page("This sign-in cannot go on", str(exc), status=400)

    async def tell_client(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, Declined)
        return RedirectResponse(exc.location, 302, headers=NEVER_CACHED)

    app.add_exception_handler(CannotReturn, tell_person)
    app.add_exception_handler(Declined, tell_client)


async def _ask(request: Request, grid: Grid, tenant: Tenant | None) -> Response:
    asked = _read(request, grid.clients)
    session = await _session(request, grid, tenant)
    if asked.prompt == "none":
        if session is None:
            asked.decline("login_required", "nobody is signed in")
        return await _send_code(grid, asked, user_id=session[0], auth_time=session[1])
    people = await grid.directory.choice(tenant)
    if not people:
        raise CannotReturn("There is nobody who could sign in.")
    hinted = next((person.id for person in people if _is_meant(person, asked.login_hint)), None)
    chosen = hinted or (session[0] if session else people[0].id)
    return choice_page(asked.client.id, asked.redirect_uri, people, chosen)


async def _decide(
    request: Request, grid: Grid, tenant: Tenant | None, decision: str, person_id: str
) -> Response:
    asked = _read(request, grid.clients)
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers["host"]:
        raise CannotReturn("The choice was sent by another web page.")
    if decision == "cancel":
        asked.decline("access_denied", "the person cancelled")
    person = await _person(grid, tenant, person_id)
    if decision != "allow" or person is None:
        raise CannotReturn("No demo person was chosen.")
    now = grid.now()
    response = await _send_code(grid, asked, user_id=person.id, auth_time=int(now))
    cookie = await Grants(grid.store).start_session(person.id, now)
    response.set_cookie(
        COOKIE, cookie, max_age=SESSION_LIFE_S, path="/scaikey", httponly=True, samesite="lax"
    )
    return response


async def _send_code(grid: Grid, asked: AuthorizationRequest, *, user_id: str, auth_time: int) -> Response:
    code = await Grants(grid.store).new_code(
        NewCode(
            client_id=asked.client.id,
            user_id=user_id,
            redirect_uri=asked.redirect_uri,
            scope=asked.scope,
            nonce=asked.nonce,
            code_challenge=asked.code_challenge,
            auth_time=auth_time,
        ),
        grid.now(),
    )
    location = _with_query(asked.redirect_uri, code=code, state=asked.state)
    return RedirectResponse(location, 302, headers=NEVER_CACHED)


async def _session(request: Request, grid: Grid, tenant: Tenant | None) -> tuple[str, int] | None:
    cookie = request.cookies.get(COOKIE)
    session = await Grants(grid.store).session_of(cookie, grid.now()) if cookie else None
    return session if session and await _person(grid, tenant, session[0]) else None


async def _person(grid: Grid, tenant: Tenant | None, person_id: str) -> Principal | None:
    """Return a person who may sign in here: at a tenant's door only its own people may."""
    person = await grid.directory.active(person_id)
    welcome = person is not None and person != SERVICE and tenant in {None, person.tenant}
    return person if welcome else None


def _read(request: Request, clients: Mapping[str, Client]) -> AuthorizationRequest:
    """Check the query. Raises CannotReturn, or Declined once it is known where to return to."""
    pairs = request.query_params.multi_items()
    query = {name: value for name, value in pairs if value}
    client = clients.get(query.get("client_id", ""))
    if client is None or not client.user_scopes:
        raise CannotReturn("The request names no client that may sign people in (client_id).")
    redirect_uri = query.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise CannotReturn("The address to return to (redirect_uri) is not registered for this client.")
    fault = _fault(query, {name for name, _ in pairs}, len(pairs), client)
    if fault:
        state = query.get("state")
        raise Declined(redirect_uri, state if state and len(state) <= _LONGEST else None, *fault)
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        scope=" ".join(dict.fromkeys(query["scope"].split())),
        state=query.get("state"),
        nonce=query.get("nonce"),
        code_challenge=query.get("code_challenge"),
        prompt=query.get("prompt"),
        login_hint=query.get("login_hint"),
    )


def _fault(query: Mapping[str, str], names: set[str], count: int, client: Client) -> tuple[str, str] | None:
    """Return the OAuth error and description of the first fault."""
    if len(names) != count:
        return "invalid_request", "a parameter is given twice"
    if "request" in query or "request_uri" in query:
        return "request_not_supported", "request objects are not supported"
    if query.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code"
    if query.get("response_mode", "query") != "query":
        return "invalid_request", "response_mode must be query"
    too_long = next(
        (name for name in ("state", "nonce", "login_hint") if len(query.get(name, "")) > _LONGEST), None
    )
    if too_long:
        return "invalid_request", f"{too_long} is longer than {_LONGEST} characters"
    if not query.get("scope", "").split() or not set(query["scope"].split()) <= client.user_scopes:
        return "invalid_scope", f"scope must be some of: {' '.join(sorted(client.user_scopes))}"
    if query.get("prompt", "login") not in _PROMPTS:
        return "invalid_request", "prompt must be none, login or select_account"
    return _fault_of_pkce(query)


def _fault_of_pkce(query: Mapping[str, str]) -> tuple[str, str] | None:
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
    if challenge is None:
        return ("invalid_request", "code_challenge is missing") if method else None
    if method != "S256":  # absent would mean `plain` (RFC 7636 §4.3), which protects nothing
        return "invalid_request", "code_challenge_method must be S256"
    if not _CHALLENGE.fullmatch(challenge):
        return "invalid_request", "code_challenge must be 43 base64url characters"
    return None


def _is_meant(person: Principal, hint: str | None) -> bool:
    return hint is not None and hint.lower() in {person.id, person.short_name, person.email}


def _with_query(uri: str, **parameters: str | None) -> str:
    parts = urlsplit(uri)
    added = urlencode({name: value for name, value in parameters.items() if value is not None})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))
