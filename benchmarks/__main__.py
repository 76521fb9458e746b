"""Measures requests on a flow of 100 nodes and prints a table: `python -m benchmarks [SQLite|PostgreSQL]`.

Takes about two minutes; both cores should be free. The rounds of all kinds are interleaved, so that what else the
machine does meets all of them alike.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.databases import DATABASES
from benchmarks.documents import flow_of
from benchmarks.floors import rows_and_files
from benchmarks.load import Rate, Request, drive
from benchmarks.pair import served
from benchmarks.requests import Requests
from benchmarks.servers import free_port, running

NODES = 100
CLIENTS = (1, 8)
SECONDS = 1.5
ROUNDS = 2


def main(wanted: list[str]) -> None:
    for database in wanted or DATABASES:
        with tempfile.TemporaryDirectory() as folder:
            measure(database, Path(folder))


def measure(database: str, folder: Path) -> None:
    content = flow_of(NODES)
    with DATABASES[database](folder) as url, served(folder, SCAIFLOW_DB_URL=url) as pair:
        base, token = pair.api, pair.token
        for clients in CLIENTS:
            requests = Requests(base, token, content, clients)
            bodies = folder / f"bodies{clients}"
            bodies.mkdir()
            (bodies / "flow").write_bytes(requests.flow())
            (bodies / "list").write_bytes(requests.page())
            with _bare(bodies) as bare:
                print(f"\n{database}, {clients} {'client' if clients == 1 else 'clients'}")
                _reads(requests, bare, clients)
            _writes(requests, url, folder, clients)


def _reads(requests: Requests, bare: str, clients: int) -> None:
    rates = _rounds(
        {
            "bare route, the flow's bytes": [Request("GET", f"{bare}/flow", {})] * clients,
            "bare route, the list's bytes": [Request("GET", f"{bare}/list", {})] * clients,
            "GET a flow": requests.reads(),
            "GET a flow, 304": requests.unchanged(),
            "GET a list of 50": requests.lists(),
        }
    )
    for name, rate in rates.items():
        floor = rates[f"bare route, the {'list' if 'list' in name else 'flow'}'s bytes"].per_second
        print(f"  {name:30} {rate}{'' if 'bare' in name else f'   {rate.per_second / floor:.3f}'}")


def _writes(requests: Requests, url: str, folder: Path, clients: int) -> None:
    (folder / "floor").mkdir(exist_ok=True)
    plain: list[float] = []
    kinds = {"PUT a flow": requests.updates(), "POST a flow": requests.creates()}
    rates: dict[str, Rate] = {}
    for _ in range(ROUNDS):
        plain.append(rows_and_files(url, folder / "floor", requests.flow(), seconds=SECONDS))
        for name, rate in _rounds(kinds, rounds=1).items():
            rates[name] = rates[name] + rate if name in rates else rate
    floor = sum(plain) / len(plain)
    print(f"  {'a row and a file, plain loop':30} {floor:8.0f} /s   ({min(plain):.0f} to {max(plain):.0f})")
    for name, rate in rates.items():
        print(f"  {name:30} {rate}   {rate.per_second / floor:.3f}")


def _rounds(kinds: dict[str, list[Request]], rounds: int = ROUNDS) -> dict[str, Rate]:
    rates: dict[str, Rate] = {}
    for _ in range(rounds):
        for name, sent in kinds.items():
            rate = asyncio.run(drive(sent, seconds=SECONDS))
            rates[name] = rates[name] + rate if name in rates else rate
    return rates


@contextmanager
def _bare(bodies: Path) -> Iterator[str]:
    port = free_port()
    command = ["-m", "uvicorn", "benchmarks.floors:bare_route", "--factory", "--no-access-log"]
    base = f"http://127.0.0.1:{port}"
    with running([*command, "--port", str(port)], f"{base}/flow", BENCH_BODIES=str(bodies)):
        yield base


main(sys.argv[1:])
