"""Runs every measurement and prints a table. Takes about a minute; both cores should be free."""

import asyncio
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
import orjson

from benchmarks.floors import rows_and_files
from benchmarks.load import Rate, Request, drive
from benchmarks.servers import free_port, memory_mb, running
from scaiflow_api.cli.token import sign_in

CLIENTS = 8
SECONDS = 5.0
ROUNDS = 3
EXAMPLE = Path(__file__).parents[1] / "examples" / "echo-agent.flow.json"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        measure(Path(folder), stack)


def measure(folder: Path, stack: ExitStack) -> None:
    api_port, grid_port, bare_port = free_port(), free_port(), free_port()
    os.environ |= {
        "SCAIFLOW_DATA_FOLDER": str(folder),
        "SCAIFLOW_API_PORT": str(api_port),
        "SCAIFLOW_GRID_PORT": str(grid_port),
        "SCAIFLOW_LOG_LEVEL": "WARNING",
    }
    grid, grid_started = stack.enter_context(
        running(["-m", "scaiflow_api.cli", "grid"], f"http://127.0.0.1:{grid_port}/scaikey/")
    )
    token = sign_in("alice")  # also completes the environment for the API
    api, api_started = stack.enter_context(
        running(["-m", "scaiflow_api.cli", "serve"], f"http://127.0.0.1:{api_port}/healthz")
    )
    base = f"http://127.0.0.1:{api_port}/api/v1/flows"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    content = orjson.loads(EXAMPLE.read_bytes())
    flows = [
        httpx.post(base, json={"content": content}, headers=headers, trust_env=False)
        .raise_for_status()
        .json()["id"]
        for _ in range(CLIENTS)
    ]
    (folder / "body").write_bytes(httpx.get(f"{base}/{flows[0]}", headers=headers, trust_env=False).content)
    bare_url = f"http://127.0.0.1:{bare_port}/flow"
    bare_command = [
        "-m",
        "uvicorn",
        "benchmarks.floors:bare_route",
        "--factory",
        "--no-access-log",
        "--port",
        str(bare_port),
    ]
    stack.enter_context(running(bare_command, bare_url, BENCH_BODY=str(folder / "body")))

    reads = [Request("GET", f"{base}/{flow}", headers) for flow in flows]
    bare = [Request("GET", bare_url, {})] * CLIENTS
    writes = [Request("PUT", f"{base}/{flow}", headers, orjson.dumps({"content": content})) for flow in flows]
    (folder / "floor").mkdir()

    print(f"start-up: API {api_started:.2f} s, local grid {grid_started:.2f} s")
    for number in range(1, ROUNDS + 1):
        print(f"\nround {number}, {CLIENTS} clients, {SECONDS:.0f} s each")
        report("bare FastAPI route", floor := asyncio.run(drive(bare, seconds=SECONDS)), floor)
        report("GET /v1/flows/{id}", asyncio.run(drive(reads, seconds=SECONDS)), floor)
        plain = rows_and_files(folder / "floor", EXAMPLE.read_bytes(), seconds=SECONDS)
        print(f"  {'row + fsynced file, plain loop':32} {plain:8.0f} /s")
        saved = asyncio.run(drive(writes, seconds=SECONDS))
        print(f"  {'PUT /v1/flows/{id}':32} {saved}   {saved.per_second / plain:.2f} of the floor")
        for file in (folder / "floor").iterdir():
            file.unlink()
    print(f"\nmemory after that: API {memory_mb(api):.0f} MB, local grid {memory_mb(grid):.0f} MB")


def report(name: str, rate: Rate, floor: Rate) -> None:
    share = "" if rate is floor else f"   {rate.per_second / floor.per_second:.2f} of the floor"
    print(f"  {name:32} {rate}{share}")


main()
