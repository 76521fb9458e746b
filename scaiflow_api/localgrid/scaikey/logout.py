"""End of a browser's session."""

from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaikey.authorize import COOKIE
from scaiflow_api.localgrid.scaikey.discovery import TenantDep
from scaiflow_api.localgrid.scaikey.errors import NEVER_CACHED
from scaiflow_api.localgrid.scaikey.grants import Grants
from scaiflow_api.localgrid.scaikey.keys import TokenRefused
from scaiflow_api.localgrid.scaikey.page import message_page

router = APIRouter()


@router.get("/platform/oauth/logout")
async def platform_logout(
    request: Request,
    grid: GridDep,
    post_logout_redirect_uri: str | None = None,
    id_token_hint: str | None = None,
    state: str | None = None,
) -> Response:
    return await _log_out(request, grid, post_logout_redirect_uri, id_token_hint, state)


@router.get("/auth/tenants/{slug}/oauth/logout")
async def tenant_logout(
    request: Request,
    _: TenantDep,
    grid: GridDep,
    post_logout_redirect_uri: str | None = None,
    id_token_hint: str | None = None,
    state: str | None = None,
) -> Response:
    return await _log_out(request, grid, post_logout_redirect_uri, id_token_hint, state)


async def _log_out(
    request: Request, grid: Grid, return_to: str | None, id_token_hint: str | None, state: str | None
) -> Response:
    """End the session of the cookie and go to `return_to` if it lies at the origin of a registered address."""
    if id_token_hint:
        try:
            grid.keys.verify(id_token_hint, check_expiry=False)
        except TokenRefused as refused:
            return message_page("Signing out failed", f"The ID token hint is {refused}.", status=400)
    if return_to and not _is_known(return_to, grid):
        return message_page(
            "Signing out failed",
            "The address to return to (post_logout_redirect_uri) is not registered.",
            status=400,
        )
    cookie = request.cookies.get(COOKIE)
    if cookie:
        await Grants(grid.store).end_session(cookie)
    response: Response
    if return_to:
        query = f"{'&' if urlsplit(return_to).query else '?'}{urlencode({'state': state})}" if state else ""
        response = RedirectResponse(f"{return_to}{query}", 302, headers=NEVER_CACHED)
    else:
        response = message_page("Signed out", "You are signed out of the local ScaiKey.")
    response.delete_cookie(COOKIE, path="/scaikey")
    return response


def _is_known(uri: str, grid: Grid) -> bool:
    if not uri.isascii() or not uri.isprintable() or "#" in uri or "\\" in uri:
        return False
    registered = (known for client in grid.clients.values() for known in client.redirect_uris)
    return any(_origin(uri) == _origin(known) for known in registered)


def _origin(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.scheme, parts.netloc
