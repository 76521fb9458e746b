"""Events over real HTTP as they happen, from the local grid to a reader that comes back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from servers import ROOT, Place, running, scaiflow

ECHO = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
STREAM = "/scaicore/events/stream"


@contextmanager
def reading(api: httpx.Client, url: str, **headers: str) -> Iterator[Iterator[tuple[str | None, Any]]]:
    """Yield id and event of each message; None for a message that only moves the cursor."""

    def messages(lines: Iterator[str]) -> Iterator[tuple[str | None, Any]]:
        id_, event = None, None
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "id":
                id_ = value
            elif name == "data":
                event = orjson.loads(value)
            elif not line and (id_ or event):
                yield id_, event
                id_, event = None, None

    with api.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield messages(answer.iter_lines())


def test_events_arrive_as_they_happen_and_none_is_missed(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    with running(
        place, scaiflow("dev"), f"{place.api}/readyz", place.grid, SCAIFLOW_STREAM_POLL_S="0.1"
    ) as process:
        headers = place.headers("bob")
        with httpx.Client(base_url=f"{place.api}/api/v1", headers=headers, timeout=20) as api:
            flow = api.post("/flows", json={"content": ECHO}).json()["id"]
            core = api.post(f"/flows/{flow}/deploy", json={"publish_as_model": False}).json()["core_id"]
            invoke, run = f"/scaicore/cores/{core}/invoke", {"input": {"message": "hello"}}

            with reading(api, f"{STREAM}?core_id={core}") as messages:
                cursor, nothing = next(messages)
                first = api.post(invoke, json=run).json()["data"]["execution_id"]
                _, event = next(messages)
            assert nothing is None
            assert event["payload"]["execution_id"] == first
            assert event["type"] == "scaicore.runtime.invocation.started"

            second = api.post(invoke, json=run).json()["data"]["execution_id"]
            ended = []
            with reading(api, STREAM, **{"Last-Event-ID": str(cursor)}) as messages:
                for _, event in messages:
                    if event and event["type"].endswith("invocation.completed"):
                        ended.append(event["payload"]["execution_id"])
                    if len(ended) == 2:
                        break
                assert ended == [first, second]

                hidden = api.get(f"{STREAM}?core_id=core_none")
                assert (hidden.status_code, hidden.json()["detail"]["error"]) == (404, "core_not_found")
                began = time.monotonic()
                process.terminate()
                process.wait(20)
    assert time.monotonic() - began < 6, "an open stream held up the end"
