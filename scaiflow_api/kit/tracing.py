"""Traces: what a request did, in which system, and for how long. Told to a collector where one is named.

Without a collector the trace's id still joins log lines, and still travels to the systems that are called: then a
request has a context that records nothing. FastAPI makes the span of a request; here is what it does inside.

No span carries what somebody wrote, or the text of an error: both may hold what must not leave the process.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["SpanKind", "joined", "outgoing", "span"]

_tracer = trace.get_tracer("scaiflow_api")
_propagator = TraceContextTextMapPropagator()


@contextmanager
def joined(sent: Mapping[str, str]) -> Iterator[str]:
    """Be in the trace of a request for the length of the block, also where it is not recorded; give its id.

    Where the request's headers, `sent`, name a trace, they travel on as they came: whether it is recorded, and what
    others keep in `tracestate`, is not ours to change. The id is 32 hex digits.
    """
    if (recorded := trace.get_current_span().get_span_context()).is_valid:
        yield trace.format_trace_id(recorded.trace_id)
        return
    context = _propagator.extract(sent)
    found = trace.get_current_span(context).get_span_context()
    if not found.is_valid:
        found = SpanContext(
            trace_id=random.getrandbits(128) or 1,
            span_id=random.getrandbits(64) or 1,
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.DEFAULT),
        )
        context = trace.set_span_in_context(NonRecordingSpan(found))
    token = attach(context)
    try:
        yield trace.format_trace_id(found.trace_id)
    finally:
        detach(token)


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> Iterator[None]:
    """Record what the block does as a part of the trace; of a failure only its kind."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # nobody is told
        yield
        return
    with _tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(StatusCode.ERROR)
            raise


def outgoing() -> dict[str, str]:
    """Return the headers by which another system joins its part to the trace (W3C Trace Context)."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers
