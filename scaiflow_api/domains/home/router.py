"""`/`, `/auth/callback` and `/docs`. Their scripts and styles come from this server alone."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)
documentation_assets = StaticFiles(packages=[("fastapi_offline", "static")])

_PAGES = Path(__file__).parent / "pages"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _page(name: str) -> Response:
    media_type = {"html": "text/html", "css": "text/css", "js": "text/javascript"}[name.rsplit(".", 1)[1]]
    return FileResponse(
        _PAGES / name,
        media_type=media_type,
        headers={
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        },
    )


@router.get("/")
async def front_page() -> Response:
    return _page("index.html")


@router.get("/auth/callback")
async def signed_in_page() -> Response:
    return _page("callback.html")


@router.get("/pages/style.css")
async def style() -> Response:
    return _page("style.css")


@router.get("/pages/sign-in.js")
async def sign_in_script() -> Response:
    return _page("sign-in.js")


@router.get("/pages/callback.js")
async def callback_script() -> Response:
    return _page("callback.js")


@router.get("/docs")
async def documentation(request: Request) -> HTMLResponse:
    options: dict[str, Any] = {"persistAuthorization": False, "displayRequestDuration": True}
    return get_swagger_ui_html(
        openapi_url=request.app.openapi_url,
        title="ScaiFlow API",
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon.png",
        swagger_ui_parameters=options,
    )
