"""What is known of the request being served: its ids and its caller. It is kept in the ASGI scope."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from scaiflow_api.auth.caller import Caller
from scaiflow_api.kit.tracing import joined

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_IDS = "scaiflow.request_ids"
_CALLER = "scaiflow.caller"


@dataclass(frozen=True, slots=True)
class RequestIds:
    """`trace_id` joins the logs and traces of all services; `request_id` is the client's own, or else equal to it."""

    trace_id: str
    request_id: str


@contextmanager
def traced(scope: Scope) -> Iterator[RequestIds]:
    """Run the block within the request's trace, and give the request the ids that it came with, or new ones."""
    headers = Headers(scope=scope)
    with joined(headers) as trace_id:
        sent = headers.get("x-request-id", "")
        ids = RequestIds(trace_id, sent if _REQUEST_ID.fullmatch(sent) else trace_id)
        scope[_IDS] = ids
        yield ids


def request_ids(scope: Scope) -> RequestIds:
    """Return the ids that `traced` gave the request."""
    ids: RequestIds = scope[_IDS]
    return ids


def remember_caller(scope: Scope, caller: Caller) -> None:
    """Note who makes the request, for `caller_of`."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller | None:
    """Return who makes the request; None: nobody was identified."""
    caller: Caller | None = scope.get(_CALLER)
    return caller
