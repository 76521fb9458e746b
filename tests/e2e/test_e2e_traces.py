"""A collector is told what a request did, from the API to SQL, the store and the systems behind it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from servers import ROOT, Place, running, scaiflow

ECHO = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

ATTRIBUTES = {
    "db.query.text",
    "db.system.name",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "network.protocol.version",
    "server.address",
    "server.port",
    "url.path",
    "url.query",
    "url.scheme",
}
"""All that a collector is told of a span. Whoever adds one looks whether it may hold what somebody wrote."""


class Collector(ThreadingHTTPServer):
    """Takes what an exporter sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.bodies: list[bytes] = []
        self.headers: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.headers.append(self.headers.get("x-key"))
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


def test_a_deploy_is_one_trace_and_its_log_lines_name_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    with collecting() as collector:
        watched = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20secret",
        }
        with running(place, scaiflow("dev"), f"{place.api}/readyz", place.grid, **watched):
            headers = place.headers("bob")
            with httpx.Client(base_url=f"{place.api}/api/v1", headers=headers, timeout=30) as api:
                flow = api.post("/flows", json={"content": ECHO}).json()["id"]
                parent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
                api.post(f"/flows/{flow}/deploy", headers=parent).raise_for_status()
                api.get("/flows/flow_none/sync", params={"token": "eyJmb3JnZWQ.in.query"})
                api.get("/flows", params={"search": "somebodys-words"}).raise_for_status()
                httpx.get(f"{place.api}/auth/callback", params={"code": "a-code-of-a-sign-in", "state": "s"})
                failed = api.get("/flows/flow_none", headers={"traceparent": "nonsense"}).json()["detail"]
            # What is left is sent when the process ends.
        spans = collector.spans

    ours = [span for span in spans if span.trace_id.hex() == TRACE]
    names = {span.name for span in ours}
    assert "POST /api/v1/flows/{flow_id}/deploy" in names
    assert {"SELECT", "INSERT", "UPDATE", "store get", "scaigrid POST"} <= names
    known = {span.span_id for span in ours}
    outside = [span.name for span in ours if span.parent_span_id not in known]
    assert outside == ["POST /api/v1/flows/{flow_id}/deploy"]
    assert set(collector.headers) == {"a secret"}

    told = b"".join(collector.bodies)
    for secret in (
        headers["Authorization"].removeprefix("Bearer ").encode(),
        b"eyJmb3JnZWQ",
        b"echo-agent",
        b"somebodys-words",
        b"a-code-of-a-sign-in",
    ):
        assert secret not in told
    assert {attribute.key for span in spans for attribute in span.attributes} <= ATTRIBUTES
    assert not any(span.events or span.status.message for span in spans)
    assert failed["trace_id"] in {span.trace_id.hex() for span in spans}
    log = next(place.folder.glob("log-*.txt")).read_text()
    assert f'"trace_id":"{TRACE}"' in log
    assert "a secret" not in log


def test_a_collector_that_is_away_stops_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    with collecting() as collector:
        url = collector.url
    with running(
        place, scaiflow("dev"), f"{place.api}/readyz", place.grid, OTEL_EXPORTER_OTLP_ENDPOINT=url
    ) as process:
        answer = httpx.get(f"{place.api}/api/v1/flows", headers=place.headers("bob"))
        began = time.monotonic()
        process.terminate()
        process.wait(20)

    assert answer.status_code == 200
    assert time.monotonic() - began < 15
