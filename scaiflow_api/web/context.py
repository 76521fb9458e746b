"""The request being served: its ids, and who makes it."""

import re
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from scaiflow_api.auth.caller import Caller
from scaiflow_api.kit.tracing import current_trace_id

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_IDS = "scaiflow.request_ids"
_CALLER = "scaiflow.caller"


@dataclass(frozen=True, slots=True)
class RequestIds:
    """`trace_id` joins logs and traces of all services; `request_id` is what the client sent or got."""

    trace_id: str
    request_id: str


def begin(scope: Scope) -> RequestIds:
    """Take the ids from the trace that is recorded, from the request's headers, or make them."""
    headers = Headers(scope=scope)
    trace_id = current_trace_id() or _sent_trace_id(headers) or uuid4().hex
    sent = headers.get("x-request-id", "")
    ids = RequestIds(trace_id, sent if _REQUEST_ID.fullmatch(sent) else trace_id)
    scope[_IDS] = ids
    return ids


def _sent_trace_id(headers: Headers) -> str | None:
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return found.group(1) if found and int(found.group(1), 16) else None


def current(scope: Scope) -> RequestIds:
    """Return the ids that `begin` put there."""
    ids: RequestIds = scope[_IDS]
    return ids


def identified(scope: Scope, caller: Caller) -> None:
    """Note who makes the request."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller | None:
    """Return who makes the request; None: nobody was identified."""
    caller: Caller | None = scope.get(_CALLER)
    return caller
