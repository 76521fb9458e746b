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

__all__ = ["SpanKind", "current_trace_id", "outgoing", "span", "within"]

_tracer = trace.get_tracer("scaiflow_api")
_propagator = TraceContextTextMapPropagator()


def current_trace_id() -> str | None:
    """Return the id of the trace that we are in, 32 hex digits; None outside of one."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


@contextmanager
def within(trace_id: str, sent: Mapping[str, str]) -> Iterator[None]:
    """Be in this trace for the length of the block, also where it is not recorded.

    Where the headers of a request, `sent`, name the trace, they travel on as they came: whether it is recorded, and
    what others keep in `tracestate`, is not ours to change.
    """
    if current_trace_id() == trace_id:
        yield
        return
    context = _propagator.extract(sent)
    if trace.get_current_span(context).get_span_context().trace_id != int(trace_id, 16):
        made = SpanContext(
            trace_id=int(trace_id, 16),
            span_id=random.getrandbits(64) or 1,
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.DEFAULT),
        )
        context = trace.set_span_in_context(NonRecordingSpan(made))
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> Iterator[None]:
    """Record what the block does as a part of the trace; of a failure only its kind."""
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
