"""The ids of the request being served."""

import re
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = "scaiflow.request_ids"


@dataclass(frozen=True, slots=True)
class RequestIds:
    """`trace_id` joins logs and traces of all services; `request_id` is what the client sent or got."""

    trace_id: str
    request_id: str


def begin(scope: Scope) -> RequestIds:
    """Take the ids from the request's headers, or make them."""
    headers = Headers(scope=scope)
    trace = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    trace_id = trace.group(1) if trace and int(trace.group(1), 16) else uuid4().hex
    sent = headers.get("x-request-id", "")
    ids = RequestIds(trace_id, sent if _REQUEST_ID.fullmatch(sent) else trace_id)
    scope[_KEY] = ids
    return ids


def current(scope: Scope) -> RequestIds:
    """Return the ids that `begin` put there."""
    ids: RequestIds = scope[_KEY]
    return ids
