"""Measures a test run of 200 fixtures against a Core that answers at once: `python -m benchmarks.testruns`.

Takes about half a minute. The floors are the calls themselves, made with the same HTTP library at the same
concurrency and nothing done with their answers: all calls that the test run makes; and, as who knows no better would
do it, one reading of events for each invocation. What is compared takes turns; the median round counts.
"""

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from benchmarks.documents import flow_of
from benchmarks.servers import environment, free_port, running
from scaiflow_api.cli.token import sign_in
from scaiflow_api.domains.testruns.runner import FixtureRunner, TestLimits
from scaiflow_api.domains.testruns.selection import Selection
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.aiohttp_transport import AiohttpTransport
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.scaigrid import ScaiGrid

FIXTURES = 200
CONCURRENCY = 4
ROUNDS = 7
MODULE = "/v1/modules/scaicore"
LIMITS = TestLimits(
    graph=DEFAULT_LIMITS, concurrency=CONCURRENCY, timeout_s=30, events_wait_s=5, clean_up_s=5
)


def main() -> None:
    configure_logging("ERROR")
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as (grid, api, token):
        asyncio.run(_measure(grid, api, token))


async def _measure(grid: str, api: str, token: str) -> None:
    content = flow_of(10)
    content["tests"] = [
        {"name": f"case {n}", "input": {"n": n, "message": "hello"}, "expect": {"n": n}}
        for n in range(FIXTURES)
    ]
    settings = ScaiGridSettings(_env_file=None, base_url=grid)
    async with (
        open_transport(settings) as transport,
        httpx.AsyncClient(transport=AiohttpTransport(verify=ssl.create_default_context())) as http,
        httpx.AsyncClient(base_url=f"{api}/api/v1", headers={"Authorization": f"Bearer {token}"}) as ours,
    ):
        access = Access(ScaiGrid(transport, settings), SecretStr("sgk_bench"))
        flow = await _deployed(ours, content)
        calls = await _calls(settings, content)
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "the same calls, directly": lambda: _direct(http, grid, dict(calls)),
            "an event reading for each run, directly": lambda: _direct(
                http, grid, {"invoke": FIXTURES, "events": FIXTURES}
            ),
            "the runner, as in `scaiflow test`": lambda: _runner(access, content),
            "POST …/run-tests": lambda: _through_the_api(ours, flow),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                started = time.perf_counter()
                await way()
                if number:  # the first round warms up
                    seconds[name].append(time.perf_counter() - started)
    print(f"{FIXTURES} fixtures, {CONCURRENCY} at a time; calls: {calls}")
    floors = [median(taken) for taken in seconds.values()][:2]
    for name, taken in seconds.items():
        to_floors = "   ".join(f"{median(taken) / floor:5.2f}" for floor in floors)
        print(f"  {name:42} {median(taken) * 1000:7.0f} ms   {to_floors}")


async def _deployed(ours: httpx.AsyncClient, content: dict[str, Any]) -> str:
    made = (await ours.post("/flows", json={"content": content})).raise_for_status()
    flow = str(made.json()["id"])
    (await ours.post(f"/flows/{flow}/deploy", json={})).raise_for_status()
    return flow


async def _runner(access: Access, content: dict[str, Any]) -> None:
    selection = Selection.of(content, None)
    report = await FixtureRunner(access, "core_1", LIMITS).run(content, selection.fixtures)
    assert (report.passed, report.message) == (FIXTURES, None), report.message


async def _through_the_api(ours: httpx.AsyncClient, flow: str) -> None:
    answer = await ours.post(f"/flows/{flow}/run-tests", json={"core_id": "core_1"}, timeout=60)
    assert answer.raise_for_status().json()["passed"] == FIXTURES


async def _direct(http: httpx.AsyncClient, grid: str, calls: dict[str, int]) -> None:
    numbers = iter(range(calls["invoke"]))
    readings = iter(range(calls["events"]))
    headers = {"Authorization": "Bearer sgk_bench"}

    async def work() -> None:
        for number in numbers:
            body = orjson.dumps({"input": {"n": number, "message": "hello"}})
            headers_of_json = {**headers, "Content-Type": "application/json"}
            await http.post(f"{grid}{MODULE}/cores/core_1/invoke", content=body, headers=headers_of_json)
            if next(readings, None) is not None:
                await http.get(
                    f"{grid}{MODULE}/events", params={"core_id": "core_1", "limit": 200}, headers=headers
                )

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


class _Counting(AiohttpTransport):
    """Counts requests by the last segment of their path."""

    def __init__(self) -> None:
        super().__init__(verify=ssl.create_default_context())
        self.counts: dict[str, int] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        step = request.url.path.rsplit("/", 1)[-1]
        self.counts[step] = self.counts.get(step, 0) + 1
        return await super().handle_async_request(request)


async def _calls(settings: ScaiGridSettings, content: dict[str, Any]) -> dict[str, int]:
    """Count the calls of a test run, by their last segment."""
    counting = _Counting()
    async with open_transport(settings, counting) as transport:
        await _runner(Access(ScaiGrid(transport, settings), SecretStr("sgk_bench")), content)
    return counting.counts


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Start the instant Core, the local grid for signing in, and the API; yield the first and last, and a token."""
    core_port, api_port, grid_port = free_port(), free_port(), free_port()
    core = f"http://127.0.0.1:{core_port}"
    chosen = {
        "SCAIFLOW_DATA_FOLDER": str(folder),
        "SCAIFLOW_API_PORT": str(api_port),
        "SCAIFLOW_GRID_PORT": str(grid_port),
        "SCAIFLOW_LOG_LEVEL": "WARNING",
        "SCAIGRID_BASE_URL": core,
    }
    uvicorn = ["-m", "uvicorn", "benchmarks.instant_core:app", "--no-access-log", "--port", str(core_port)]
    with (
        running(uvicorn, core),
        environment(chosen),
        running(["-m", "scaiflow_api.cli", "grid"], f"http://127.0.0.1:{grid_port}/scaikey/"),
    ):
        token = sign_in("alice")
        api = f"http://127.0.0.1:{api_port}"
        with running(["-m", "scaiflow_api.cli", "serve"], f"{api}/healthz"):
            yield core, api, token


main()
