"""What the process counts and times, for Prometheus to read at `/metrics`.

No label takes a value that a caller chooses, or a tenant's: each has a handful of values, so that the number of
series is bounded by this file and by the number of routes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from scaiflow_api.kit.errors import AppError

__all__ = ["CONTENT_TYPE_LATEST", "exposed", "timed"]

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which OpenMetrics alone uses

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

REQUESTS: Final = Histogram(
    "scaiflow_http_request_duration_seconds",
    "Requests answered, by the route's pattern and the class of the status.",
    ("method", "route", "status"),
    buckets=_SHORT,
    registry=REGISTRY,
)
UPSTREAM_CALLS: Final = Histogram(
    "scaiflow_upstream_call_duration_seconds",
    "Calls of other systems with all their repetitions, by `outcome`: ok or the kind of failure.",
    ("system", "outcome"),
    buckets=_SHORT,
    registry=REGISTRY,
)
UPSTREAM_OPENED: Final = Counter(
    "scaiflow_upstream_opened",
    "How often a system failed so many times in a row that it was left alone for a tenant.",
    ("system",),
    registry=REGISTRY,
)
UPSTREAM_LEFT_ALONE: Final = Gauge(
    "scaiflow_upstream_left_alone",
    "For how many tenants a system is left alone at the moment.",
    ("system",),
    registry=REGISTRY,
)
STORE_CALLS: Final = Histogram(
    "scaiflow_store_call_duration_seconds",
    "Reads and writes of the object store.",
    ("operation", "outcome"),
    buckets=_SHORT,
    registry=REGISTRY,
)
COMPILES: Final = Histogram(
    "scaiflow_compile_duration_seconds",
    "Documents compiled, by format; `CompileError`: there was something wrong with the document.",
    ("format", "outcome"),
    buckets=_SHORT,
    registry=REGISTRY,
)
DEPLOYS: Final = Histogram(
    "scaiflow_deploy_duration_seconds",
    "Deploys; `outcome` is ok or the code of the error.",
    ("outcome",),
    buckets=_LONG,
    registry=REGISTRY,
)
TEST_RUNS: Final = Histogram(
    "scaiflow_test_run_duration_seconds",
    "Runs of a flow's fixtures; `outcome` is ok or the code of the error that ended the run.",
    ("outcome",),
    buckets=_LONG,
    registry=REGISTRY,
)
FIXTURES: Final = Counter(
    "scaiflow_test_fixtures",
    "Fixtures that ran, by `result`: passed or failed.",
    ("result",),
    registry=REGISTRY,
)


@contextmanager
def timed(histogram: Histogram, **labels: str) -> Iterator[None]:
    """Time the block; its `outcome` is ok, the code of our own error, or the class of another one."""
    started, outcome = time.perf_counter(), "ok"
    try:
        yield
    except BaseException as error:
        outcome = error.error if isinstance(error, AppError) else type(error).__name__
        raise
    finally:
        histogram.labels(**labels, outcome=outcome).observe(time.perf_counter() - started)


def exposed(*beside: Collector) -> bytes:
    """Return everything, and what else is given, in Prometheus's text format, whose type is `CONTENT_TYPE_LATEST`."""
    others = CollectorRegistry()
    for collector in beside:
        others.register(collector)
    return generate_latest(REGISTRY) + generate_latest(others)
