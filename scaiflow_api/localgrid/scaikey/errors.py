"""ScaiKey's errors: OAuth's `{"error", "error_description"}` with 400 or 401, else `{"detail"}` as FastAPI has it."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

NEVER_CACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuthError(Exception):
    """A refusal of the token endpoint. `error` is one of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


async def _answer(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, OAuthError)
    unauthorized = exc.error == "invalid_client"
    challenge = {"WWW-Authenticate": 'Basic realm="scaikey"'} if unauthorized else {}
    return JSONResponse(
        {"error": exc.error, "error_description": exc.description},
        status_code=401 if unauthorized else 400,
        headers={**NEVER_CACHED, **challenge},
    )


async def _answer_invalid(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)
    # Without what was sent, which may be a secret, or no JSON.
    problems = [{name: problem[name] for name in ("loc", "msg", "type")} for problem in exc.errors()]
    return JSONResponse({"detail": problems}, status_code=422)


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal in its shape."""
    app.add_exception_handler(OAuthError, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
