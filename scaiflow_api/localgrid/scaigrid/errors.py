"""ScaiGrid's error envelope: `{"status": "error", "error": {code, message, …}, "meta": {request_id}}`."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

_CODES = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


class GridError(Exception):
    """A refusal. `code` is what clients branch on."""

    def __init__(
        self, status: int, code: str, message: str, *, details: Sequence[Mapping[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def invalid(message: str, field: str | None = None, *, status: int = 422) -> GridError:
    """Return a VALIDATION_ERROR; with `field`, it is named in `details`."""
    details = None if field is None else [{"field": field, "message": message}]
    return GridError(status, "VALIDATION_ERROR", message, details=details)


def install(app: FastAPI) -> None:
    """Make `app` answer every failure in the envelope."""

    async def on_grid_error(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, GridError)
        return _answer(request, exc.status, exc.code, exc.message, exc.details)

    async def on_invalid_request(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestValidationError)
        details = [
            {
                "field": ".".join(map(str, problem["loc"][1:])) or str(problem["loc"][0]),
                "message": problem["msg"],
            }
            for problem in exc.errors()
        ]
        return _answer(request, 422, "VALIDATION_ERROR", "The request is not valid.", details)

    async def on_http_error(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        code = _CODES.get(exc.status_code, "VALIDATION_ERROR")
        return _answer(request, exc.status_code, code, str(exc.detail), headers=exc.headers)

    async def on_bug(request: Request, _: Exception) -> JSONResponse:
        return _answer(request, 500, "INTERNAL_ERROR", "The local grid has a bug; its log says more.")

    app.add_exception_handler(GridError, on_grid_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_bug)


def _answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    details: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    error: dict[str, Any] = {"code": code, "message": message}
    if details:
        error["details"] = list(details)
    body = {"status": "error", "error": error, "meta": {"request_id": request.state.request_id}}
    challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(body, status_code=status, headers={**(headers or {}), **challenge})
