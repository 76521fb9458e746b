"""Measures what a lookup and an invoke cost more through the API than directly: `python -m benchmarks.proxies`.

Takes about half a minute; both cores should be free. One client asks API and local grid in turn, in short rounds, so
that what else the machine does meets both alike. Lists are not kept (`SCAIFLOW_LOOKUP_CACHE_S=0`): each lookup asks
the grid.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.load import Rate, Request, drive
from benchmarks.pair import Pair, served

ECHO = Path(__file__).parents[1] / "examples" / "echo-agent.flow.json"
SECONDS, ROUNDS = 1.0, 6
AIM_MS = 3.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), SCAIFLOW_LOOKUP_CACHE_S="0") as pair:
        headers = {"Authorization": f"Bearer {pair.token}", "Content-Type": "application/json"}
        core_id = _deployed(pair, headers)
        body = orjson.dumps({"input": {"message": "hello"}})
        invoke = f"cores/{core_id}/invoke"
        compared = {
            "lookup (models)": (
                Request("GET", f"{pair.grid}/v1/models?limit=100", headers),
                Request("GET", f"{pair.api}/api/v1/scaigrid/models", headers),
            ),
            "lookup (scopes)": (
                Request("GET", f"{pair.grid}/v1/modules/scaiqueue/scopes?limit=100", headers),
                Request("GET", f"{pair.api}/api/v1/scaiqueue/scopes", headers),
            ),
            "invoke (echo)": (
                Request("POST", f"{pair.grid}/v1/modules/scaicore/{invoke}", headers, body),
                Request("POST", f"{pair.api}/api/v1/scaicore/{invoke}", headers, body),
            ),
        }
        print(
            "\nmilliseconds, one client; what else the machine does matters less to the quickest tenth (p10)"
        )
        for name, (direct, through) in compared.items():
            _compare(name, direct, through)


def _compare(name: str, direct: Request, through: Request) -> None:
    rates: dict[str, Rate] = {}
    for _ in range(ROUNDS):
        for side, request in (("grid", direct), ("API", through)):
            rate = asyncio.run(drive([request], seconds=SECONDS))
            rates[side] = rates[side] + rate if side in rates else rate
    told = []
    for percent in (50, 10):
        grid, api = (rates[side].percentile_ms(percent) for side in ("grid", "API"))
        told.append(f"p{percent}: grid {grid:6.2f}   API {api:6.2f}   more {api - grid:5.2f}")
    print(f"  {name:18} {told[0]} (aim: {AIM_MS:g})   {told[1]}")


def _deployed(pair: Pair, headers: dict[str, str]) -> str:
    """Deploy the echo agent; return the id of its Core."""
    content: Any = orjson.loads(ECHO.read_bytes())
    with httpx.Client(base_url=f"{pair.api}/api/v1", headers=headers, timeout=60, trust_env=False) as http:
        flow = http.post("/flows", json={"content": content}).raise_for_status().json()
        deployed = http.post(f"/flows/{flow['id']}/deploy", json={}).raise_for_status().json()
    return str(deployed["core_id"])


main()
