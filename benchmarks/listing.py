"""Measures lists and searches in a tenant of 1,000 flows and one of 100,000: `python -m benchmarks.listing [SQLite]`.

Prints p50 and p95 for callers that see 960 flows of either, 980 and 1,960, and all. With `plans` as an argument it
prints how the databases go about it instead.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import DATABASES
from benchmarks.load import Rate, Request, drive
from benchmarks.seeding import seed
from benchmarks.servers import environment, free_port, running
from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.cli.token import sign_in
from scaiflow_api.db.schema import upgrade
from scaiflow_api.domains.flows.listing import NEWEST_CHANGE_FIRST, Order, Wanted
from scaiflow_api.domains.flows.visible import Shape, count_of, page_of, values_of

SIZES = (1_000, 100_000)
SECONDS = 0.25
TURNS = 4
NOTHING = Rate(0, ())
CALLERS = {"carol": "sees 960", "bob": "sees 980; 1,960", "alice": "sees all"}
FREQUENT, RARE = "fund", "t 777"
QUESTIONS = {
    "first page of 50": "limit=50",
    "by name": "limit=50&sort=name",
    "by creation": "limit=50&sort=created_at",
    "search, one in six": f"limit=50&search={FREQUENT}",
    "search, one in 2,000": f"limit=50&search={quote(RARE)}",
    "search, one letter": "limit=50&search=e",
    "search, three in four": f"limit=50&search={quote('t ')}",
    "deleted": "limit=50&deleted=true",
}


def main(wanted: list[str]) -> None:
    plans = "plans" in wanted
    for database in [name for name in wanted if name != "plans"] or DATABASES:
        print(f"\n{database}")
        if plans:
            _explain(database)
            continue
        small, large = _measure(database)
        print(f"  {'ms: p50, p95':34}{SIZES[0]:>16,}{SIZES[1]:>18,}    ratios")
        for (caller, question), rate in small.items():
            print(f"  {CALLERS[caller] + ': ' + question:34}", end="")
            before, after = _percentiles(rate), _percentiles(large[caller, question])
            print("".join(f"{ms:9.2f}" for ms in (*before, *after)), end="  ")
            print("".join(f"{more / less:6.1f}" for less, more in zip(before, after, strict=True)))


def _percentiles(rate: Rate) -> tuple[float, float]:
    return rate.percentile_ms(50), rate.percentile_ms(95)


def _measure(database: str) -> list[dict[tuple[str, str], Rate]]:
    """Ask both tenants in turns, so that what disturbs one run disturbs both."""
    rates: list[dict[tuple[str, str], Rate]] = [{} for _ in SIZES]
    with ExitStack() as served:
        tenants = [served.enter_context(_served(database, flows)) for flows in SIZES]
        for turn in range(TURNS + 1):
            for caller, (name, query) in product(CALLERS, QUESTIONS.items()):
                for (base, tokens), found in zip(tenants, rates, strict=True):
                    headers = {"Authorization": f"Bearer {tokens[caller]}"}
                    asked = [Request("GET", f"{base}/api/v1/flows?{query}", headers)]
                    rate = asyncio.run(drive(asked, seconds=SECONDS))
                    if turn:  # the first only warms up
                        found[caller, name] = found.get((caller, name), NOTHING) + rate
    return rates


@contextmanager
def _served(database: str, flows: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a tenant of so many flows; yield the address of the API and the tokens of the callers."""
    with tempfile.TemporaryDirectory() as folder, DATABASES[database](Path(folder)) as url:
        upgrade(url)
        asyncio.run(seed(url, flows))
        api, grid = free_port(), free_port()
        settings = {
            "SCAIFLOW_DATA_FOLDER": folder,
            "SCAIFLOW_API_PORT": str(api),
            "SCAIFLOW_GRID_PORT": str(grid),
            "SCAIFLOW_LOG_LEVEL": "WARNING",
            "SCAIFLOW_DB_URL": url,
        }
        with (
            environment(settings),
            running(["-m", "scaiflow_api.cli", "grid"], f"http://127.0.0.1:{grid}/scaikey/"),
        ):
            tokens = {caller: sign_in(caller) for caller in CALLERS}
            with running(["-m", "scaiflow_api.cli", "serve"], f"http://127.0.0.1:{api}/healthz"):
                yield f"http://127.0.0.1:{api}", tokens


def _explain(database: str) -> None:
    with tempfile.TemporaryDirectory() as folder, DATABASES[database](Path(folder)) as url:
        upgrade(url)
        asyncio.run(seed(url, SIZES[1]))
        asyncio.run(_print_plans(url))


async def _print_plans(url: str) -> None:
    bob = Caller("usr_bob", "tnt_acme", SecretStr(""), groups=frozenset({"grp_eng"}))
    alice = Caller("usr_alice", "tnt_acme", SecretStr(""), admin_role=AdminRole.TENANT_ADMIN)
    engine = create_async_engine(url)
    explain = "EXPLAIN (ANALYZE, COSTS OFF)" if "postgres" in url else "EXPLAIN QUERY PLAN"

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def ask_how(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> tuple[str, Any]:
        return f"{explain} {statement}" if statement.startswith(("SELECT", "WITH")) else statement, values

    async with engine.connect() as connection:
        for caller in (bob, alice):
            for wanted, order in (
                (Wanted(), NEWEST_CHANGE_FIRST),
                (Wanted(), Order.by("name", None)),
                (Wanted(search=FREQUENT), NEWEST_CHANGE_FIRST),
                (Wanted(search=RARE), NEWEST_CHANGE_FIRST),
                (Wanted(deleted=True), NEWEST_CHANGE_FIRST),
            ):
                shape = Shape.of(caller, wanted, engine.dialect.name)
                shape = shape._replace(few=shape.by_tails and wanted.search == RARE)
                questions = [page_of(shape, order, after=False)]
                if not shape.counts:
                    questions.append(count_of(shape))
                for question in questions:
                    which = "deleted" if wanted.deleted else wanted.search or "all"
                    print(f"\n  {caller.subject}, {which}, by {order.key}")
                    for row in await connection.execute(question, {**values_of(caller, wanted), "size": 51}):
                        print(f"    {row[-1]}")
    await engine.dispose()


main(sys.argv[1:])
