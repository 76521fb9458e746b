"""The OpenTelemetry collector: told what the process does, where one is named."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from scaiflow_api import __version__
from scaiflow_api.kit.logging import SCRUBBED
from scaiflow_api.settings import Observability

_EXPORT_TIMEOUT_S = 5
"""A collector that is away may hold up the end of the process for so long."""


class WithoutQueries(SpanProcessor):
    """Keeps from the collector the query of an address, which FastAPI writes down.

    It may hold a code that signs somebody in, and words that somebody looks for.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", SCRUBBED)


@asynccontextmanager
async def traces(settings: Observability) -> AsyncIterator[None]:
    """Send the spans of the whole process for the length of the block, the last ones at its end.

    Nothing happens without an endpoint.
    """
    if settings.otlp_endpoint is None:
        yield
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": settings.service_name, "service.version": __version__}),
        sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces",
        headers=settings.headers,
        timeout=_EXPORT_TIMEOUT_S,
    )
    provider.add_span_processor(WithoutQueries())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        await asyncio.to_thread(provider.shutdown)
