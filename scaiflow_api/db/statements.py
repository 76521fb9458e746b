"""Spans of SQL statements, for a process that tells a collector what it does."""

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext, ExecutionContext

_tracer = trace.get_tracer("scaiflow_api")
_SPAN = "_scaiflow_span"


def trace_statements(engine: Engine) -> None:
    """Record each statement of the engine, with its text as it is prepared: it holds no value."""
    system = engine.dialect.name

    @event.listens_for(engine, "before_cursor_execute")
    def begin(_: Any, __: Any, statement: str, ___: Any, context: ExecutionContext, ____: bool) -> None:
        begun = _tracer.start_span(
            statement.partition(" ")[0],
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": system, "db.query.text": statement},
        )
        setattr(context, _SPAN, begun)

    @event.listens_for(engine, "after_cursor_execute")
    def end(_: Any, __: Any, ___: str, ____: Any, context: ExecutionContext, _____: bool) -> None:
        span: Span = getattr(context, _SPAN)
        span.end()

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        span: Span | None = getattr(failure.execution_context, _SPAN, None)
        if span is not None:
            span.set_attribute("error.type", type(failure.original_exception).__qualname__)
            span.set_status(StatusCode.ERROR)
            span.end()
