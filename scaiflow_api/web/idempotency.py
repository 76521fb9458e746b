"""`Idempotency-Key`: a request that is sent again because its answer was lost is carried out once.

A key belongs to one caller and one route for 24 hours. The same request (method, address with query, `If-Match`,
body) gets the same answer, which bears `Idempotency-Replayed: true`; another one is refused, and so is the same one
while the first is under way. Who calls, and with what permission, is asked first, every time.

Not kept, so that the next request is carried out anew: answers that say nothing of the request itself, which are
5xx, 401 and 403, and those that ask to come again, by 429 or `Retry-After`. A process that dies at work loses its
key half a minute later: then nobody knows how far it came, and the request is carried out again.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import orjson
import structlog
from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError

from scaiflow_api.db.idempotency_keys import (
    RESERVED_S,
    IdempotencyKeys,
    KeptAnswer,
    KeyInUse,
    KeyOfAnother,
    Place,
)
from scaiflow_api.db.renewal import HeldLease, renewing
from scaiflow_api.kit.errors import AppError
from scaiflow_api.resources import Resources
from scaiflow_api.web.bodies import JsonRequest
from scaiflow_api.web.errors import documented, response_to
from scaiflow_api.web.routes import admission_of

log = structlog.get_logger(__name__)

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LEGAL: Final = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_OF_THE_MOMENT: Final = frozenset({401, 403, 429})
_SHOWN_WITHOUT_BODY: Final = frozenset({"etag", "location"})

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class InvalidIdempotencyKey(AppError):
    status, error = 400, "invalid_idempotency_key"
    template = "The Idempotency-Key is not usable."
    fix = "Send one header with 1 to 255 printable ASCII characters, for example a random UUID."


class IdempotencyConflict(AppError):
    status, error = 409, "idempotency_conflict"
    template = "This Idempotency-Key was used for another request."
    fix = (
        "Use a new key for every new request; a key goes again only with the same address, If-Match and body."
    )


class IdempotencyInProgress(AppError):
    status, error = 409, "idempotency_in_progress"
    template = "The request with this Idempotency-Key is still under way."
    fix = "Send it again, with the same key, in a moment."
    come_again_s = 1


class IdempotencyAnswerNotKept(AppError):
    """The work is done; its answer was larger than what is kept."""

    status, error = 409, "idempotency_answer_not_kept"
    template = (
        "The request with this Idempotency-Key was answered {answered}, too large an answer to be kept."
    )
    fix = "Do not send it again: read what it changed."


class IdempotentRoute(APIRoute):
    """The route class of routers that change something: unsafe methods take the header `Idempotency-Key`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if UNSAFE & set(options.get("methods") or ()):
            options["responses"] = _with_ours(options.get("responses") or {})
            extra = options.get("openapi_extra") or {}
            parameters = [*extra.get("parameters", ()), _PARAMETER]
            options["openapi_extra"] = {**extra, "parameters": parameters}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()
        if not UNSAFE & (self.methods or set()):
            return handle
        admit = admission_of(self.dependant)
        assert admit is not None, (
            f"{self.path_format} asks for no permission, so its keys would have no owner"
        )
        path = self.path_format

        async def handle_once(request: Request) -> Response:
            request = JsonRequest(request.scope, request.receive)
            if not (sent := request.headers.getlist(HEADER)):
                return await handle(request)
            caller = await admit(request)
            if len(sent) != 1 or not _LEGAL.fullmatch(sent[0]):
                raise InvalidIdempotencyKey
            place = Place(caller.tenant_id, caller.subject, f"{request.method} {path}", sent[0])
            return await _once(request, place, handle)

        return handle_once


async def _once(request: Request, place: Place, handle: Handler) -> Response:
    resources: Resources = request.app.state.resources
    keys = IdempotencyKeys(resources.db)
    try:
        claimed = await keys.claim(place, await _fingerprint(request))
    except KeyInUse:
        raise IdempotencyInProgress from None
    except KeyOfAnother:
        raise IdempotencyConflict from None
    if isinstance(claimed, KeptAnswer):
        return _replay(claimed)
    async with renewing(claimed, lambda: keys.renew(place, claimed), ttl_s=RESERVED_S):
        try:
            response = await handle(request)
        except Exception as error:
            expected = await response_to(request, error)
            if expected is None:
                await _settle(keys, place, claimed, None)
                raise
            response = expected
    kept = _kept(response, resources.settings.api.max_kept_answer_bytes)
    await _settle(keys, place, claimed, kept)
    return response


async def _settle(keys: IdempotencyKeys, place: Place, held: HeldLease, answer: KeptAnswer | None) -> None:
    """Keep the answer, or give the key back. What was done is done: a database that is away changes no answer."""
    try:
        if answer is None:
            await keys.release(place, held)
        else:
            await keys.keep(place, held, answer)
    except (AppError, DBAPIError) as failure:
        log.warning("idempotency key not settled", failure=type(failure).__name__)


async def _fingerprint(request: Request) -> str:
    scope, if_match = request.scope, request.headers.getlist("if-match")
    about = orjson.dumps([scope["method"], scope["path"], scope["query_string"].decode("latin-1"), if_match])
    return hashlib.sha256(about + b"\n" + await request.body()).hexdigest()


def _kept(response: Response, max_bytes: int) -> KeptAnswer | None:
    """Return what is kept of an answer; None: nothing."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    names = {name for name, _ in headers}
    if response.status_code >= 500 or response.status_code in _OF_THE_MOMENT or "retry-after" in names:
        return None
    body = bytes(response.body)
    return KeptAnswer(response.status_code, headers, body if len(body) <= max_bytes else None)


def _replay(answer: KeptAnswer) -> Response:
    if answer.body is None:
        shown = {name: value for name, value in answer.headers if name in _SHOWN_WITHOUT_BODY}
        raise IdempotencyAnswerNotKept(answered=answer.status, headers=shown)
    response = Response(answer.body, answer.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers
    ]
    response.headers[REPLAYED] = "true"
    return response


def _with_ours(responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Return the documented errors of a route together with those of the header."""
    merged = dict(responses)
    for status, ours in documented(
        InvalidIdempotencyKey, IdempotencyConflict, IdempotencyInProgress, IdempotencyAnswerNotKept
    ).items():
        theirs = merged.get(status, {}).get("description")
        merged[status] = {**ours, "description": ", ".join(filter(None, (theirs, ours["description"])))}
    return merged


_PARAMETER: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again: for 24 hours the same key and request get the same "
    "answer, and the work is done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": f"^{_LEGAL.pattern}$"},
}
