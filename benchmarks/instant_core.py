"""A ScaiGrid whose Cores answer at once, as an ASGI application: `uvicorn benchmarks.instant_core:app`."""

from typing import Any
from urllib.parse import parse_qs

import orjson

EVENTS_OF_A_RUN = 8
CORE = {"id": "core_1", "slug": "instant", "name": "instant", "status": "running", "metadata": {}}

_log: list[dict[str, Any]] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    path = scope["path"]
    if path.endswith("/invoke"):
        data = _run(orjson.loads(body))
    elif path.endswith("/events"):
        data = _page({name: found[0] for name, found in parse_qs(scope["query_string"].decode()).items()})
    else:
        data = CORE
    answer = orjson.dumps({"data": data})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def _run(body: dict[str, Any]) -> dict[str, Any]:
    """Echo the input, and log the events of a run of three blocks."""
    execution_id = f"exec_{len(_log)}"
    about = {"execution_id": execution_id, "flow_name": "instant"}
    _emit("invocation.started", {**about, "input": body["input"], "instance_key": body.get("instance_key")})
    for number in range((EVENTS_OF_A_RUN - 2) // 2):
        block = {**about, "node_id": f"node_{number}", "block_kind": "rigid"}
        _emit("block.entered", block)
        _emit("block.exited", {**block, "result_binding_value": body["input"]})
    _emit("invocation.completed", {**about, "output": body["input"]})
    return {"execution_id": execution_id, "status": "COMPLETED", "output": body["input"]}


def _emit(kind: str, payload: dict[str, Any]) -> None:
    _log.append({"type": f"scaicore.runtime.{kind}", "core_id": "core_1", "payload": payload})


def _page(asked: dict[str, str]) -> dict[str, Any]:
    limit = int(asked.get("limit", 50))
    begin = int(asked["cursor"]) if "cursor" in asked else max(len(_log) - limit, 0)
    found = _log[begin : begin + limit]
    return {"events": found, "next_cursor": str(begin + len(found))}
