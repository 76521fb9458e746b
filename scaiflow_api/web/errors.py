"""Turns every failure into the one error shape: `{"detail": {error, message, fix?, …, trace_id}}`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import Scope

from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError
from scaiflow_api.web.context import request_ids
from scaiflow_api.web.routes import methods_of
from scaiflow_api.web.schemas import AnswerModel


class ErrorDetail(AnswerModel):
    """What went wrong. Further members depend on `error`; docs/errors.md lists them."""

    model_config = ConfigDict(extra="allow")

    error: str
    """A stable code."""
    message: str
    """A sentence for people."""
    fix: str | None = None
    """What to do about it."""
    trace_id: str
    """Finds the request in the log."""


class ErrorBody(AnswerModel):
    """The body of every error."""

    detail: ErrorDetail


class InvalidRequest(AppError):
    status, error = 422, "invalid_request"
    template = "The request is not valid."


class NotFound(AppError):
    status, error = 404, "not_found"
    template = "There is nothing at this address."
    fix = "GET /docs lists every address."


class MethodNotAllowed(AppError):
    status, error = 405, "method_not_allowed"
    template = "This address does not take that method."


class MalformedRequest(AppError):
    status, error = 400, "malformed_request"
    template = "The request cannot be read."
    fix = "Send an address without NUL (%00), and a body that is JSON in UTF-8."


class BodyTooLarge(AppError):
    status, error = 413, "body_too_large"
    template = "The request body is larger than {limit_bytes} bytes."


class UnsupportedMediaType(AppError):
    status, error = 415, "unsupported_media_type"
    template = "The body must be JSON."
    fix = "Send 'Content-Type: application/json'."


class MisdirectedRequest(AppError):
    status, error = 421, "misdirected_request"
    template = "This process serves only this machine."
    fix = "Address it as 127.0.0.1 or localhost."


class InternalError(AppError):
    status, error = 500, "internal_error"
    template = "Something unexpected went wrong on our side."
    fix = "Quote the trace id to the operator."


class Refused(HTTPException):
    """Carries an AppError out of places where FastAPI lets only an HTTPException through."""

    def __init__(self, error: AppError) -> None:
        super().__init__(error.status)
        self.error = error


def answer(scope: Scope, error: AppError) -> Response:
    """Return the response for an error of ours."""
    detail = {**error.detail(), "trace_id": request_ids(scope).trace_id}
    body: dict[str, Any] = {"detail": detail}
    if isinstance(beside := getattr(error, "beside", None), Mapping):
        body = {**beside, **body}
    return Response(
        orjson.dumps(body, default=str), error.status, headers=error.headers, media_type="application/json"
    )


async def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    if error.denies:
        await request.app.state.denials.note(request.scope, error)
    return answer(request.scope, error)


async def _on_upstream_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UpstreamError)
    return answer(request.scope, as_app_error(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        {
            "path": _place(found, error.body),
            "code": found["type"],
            "message": found["msg"].removeprefix("Value error, "),  # Pydantic's words before ours
        }
        for found in error.errors()
    ]
    return answer(request.scope, InvalidRequest(problems=problems))


def _place(found: Mapping[str, Any], body: Any) -> str:
    """Return where in the request a problem is, in parts that its sender knows.

    Pydantic also names the members of a union that it tried, and the functions around them: nothing of the body has
    such a name.
    """
    where, *parts = found["loc"]
    if where == "body" and found["type"] != "json_invalid":
        place = []
        for part in parts:
            if isinstance(body, dict | list) and part in (
                body if isinstance(body, dict) else range(len(body))
            ):
                body = body[part]
                place.append(part)
        parts = [*place, parts[-1]] if found["type"] == "missing" and parts else place
    return ".".join(str(part) for part in (where, *parts))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Refused):
        return answer(request.scope, error.error)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router names the methods of the first route with that path only.
        allowed = ", ".join(methods_of(request.app, request.scope["path"]))
        return answer(request.scope, MethodNotAllowed(headers={"Allow": allowed}))
    kind = NotFound if error.status_code == HTTPStatus.NOT_FOUND else MalformedRequest
    return answer(request.scope, kind(headers=dict(error.headers or {})))


# In the order in which an error looks for its kind.
_HANDLERS = (
    (AppError, _on_app_error),
    (UpstreamError, _on_upstream_error),
    (RequestValidationError, _on_invalid_request),
    (HTTPException, _on_http_exception),
)


async def response_to(request: Request, error: Exception) -> Response | None:
    """Return the response for an error that somebody expected; None for a bug."""
    for kind, handler in _HANDLERS:
        if isinstance(error, kind):
            return await handler(request, error)
    return None


def documented(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route: one entry per status, naming the codes."""
    codes: dict[int, list[str]] = {}
    for error in errors:
        codes.setdefault(error.status, []).append(f"`{error.error}`")
    return {status: {"model": ErrorBody, "description": ", ".join(found)} for status, found in codes.items()}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    for kind, handler in _HANDLERS:
        app.add_exception_handler(kind, handler)
