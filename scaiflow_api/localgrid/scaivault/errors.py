"""ScaiVault's error envelope: `{"error": {code, message, details, request_id}}`."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class VaultError(Exception):
    """A refusal. `code` is what clients branch on."""

    def __init__(
        self, status: int, code: str, message: str, *, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})


def install(app: FastAPI) -> None:
    """Make `app` answer every failure in the envelope."""

    async def on_vault_error(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, VaultError)
        return _answer(request, exc)

    async def on_invalid_request(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestValidationError)
        # Only places and reasons: what was sent may be a secret.
        fields = {".".join(map(str, problem["loc"][1:])): problem["msg"] for problem in exc.errors()}
        refusal = VaultError(422, "validation_error", "The request is not valid.", details={"fields": fields})
        return _answer(request, refusal)

    async def on_http_error(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        return _answer(request, VaultError(exc.status_code, "invalid_request", str(exc.detail)))

    async def on_bug(request: Request, _: Exception) -> JSONResponse:
        bug = VaultError(500, "internal_error", "The local grid has a bug; its log says more.")
        return _answer(request, bug)

    app.add_exception_handler(VaultError, on_vault_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_bug)


def _answer(request: Request, refusal: VaultError) -> JSONResponse:
    error = {
        "code": refusal.code,
        "message": refusal.message,
        "details": refusal.details,
        "request_id": request.state.request_id,
    }
    challenge = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    return JSONResponse({"error": error}, status_code=refusal.status, headers=challenge)
