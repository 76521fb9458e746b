"""The request being served: its ids, and who makes it."""

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
    """`trace_id` joins logs and traces of all services; `request_id` is what the client sent or got."""

    trace_id: str
    request_id: str


@contextmanager
def begun(scope: Scope) -> Iterator[RequestIds]:
    """Be in the request's trace for the length of the block, and give it the ids that it came with, or made ones."""
    headers = Headers(scope=scope)
    with joined(headers) as trace_id:
        sent = headers.get("x-request-id", "")
        ids = RequestIds(trace_id, sent if _REQUEST_ID.fullmatch(sent) else trace_id)
        scope[_IDS] = ids
        yield ids


def current(scope: Scope) -> RequestIds:
    """Return the ids that `begun` put there."""
    ids: RequestIds = scope[_IDS]
    return ids


def identified(scope: Scope, caller: Caller) -> None:
    """Note who makes the request."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller | None:
    """Return who makes the request; None: nobody was identified."""
    caller: Caller | None = scope.get(_CALLER)
    return caller
