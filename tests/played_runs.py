"""A played ScaiGrid whose Cores run: scripts that wait at checkpoints, and the events that tell of them."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import orjson
from played_grid import Json, PlayedGrid, refusal

RUNTIME = "scaicore.runtime"


@dataclass(frozen=True)
class Enter:
    """A block that is run; of a decision the edge that it takes, which may be None."""

    node: str
    edge: str | type | None = object


@dataclass(frozen=True)
class Wait:
    """A checkpoint that has to be resolved before the script goes on."""

    node: str | None
    type: str = "approval"


class Fails(Exception):
    """Ends a run with an error."""


Step: TypeAlias = Enter | Wait | list[Wait]
Script: TypeAlias = Callable[[Json], Generator[Step, Any, Any]]
"""Made from the body of an invocation; a wait gives back the resolution, a list of them a list."""


class PlayedRuns(PlayedGrid):
    """Without a `script` runs are what `on_invoke` says. More steps: `checkpoints`, `resolve`, `cancel`, `stop`.

    `events` is the log; a page without a cursor holds the latest, one with a cursor those after it.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.script: Script | None = None
        self.late_events = False
        """Whether the log misses the last event of each run that ends within its invocation."""
        self.rows: dict[str, Json] = {}
        self.cancelled: list[str] = []
        self.resolutions: list[Any] = []
        self._scripts: dict[str, Generator[Step, Any, Any]] = {}
        self._ids: dict[str, Json] = {}
        self._count = 0

    def emit(self, kind: str, execution_id: str, **payload: Any) -> None:
        event = {
            "type": f"{RUNTIME}.{kind}",
            "core_id": "core_1",
            "payload": {"execution_id": execution_id, **payload},
        }
        self.events.append(event)

    def _step(self, method: str, path: str) -> tuple[str, str | None]:
        parts = path.removeprefix("/v1/modules/scaicore/").split("/")
        match method, *parts:
            case "GET", "checkpoints":
                return "checkpoints", None
            case "POST", "checkpoints", _, "resolve":
                return "resolve", None
            case "POST", "checkpoints", _, "cancel":
                return "cancel", None
            case "POST", "executions", _, "cancel":
                return "stop", None
        return super()._step(method, path)

    async def _do(self, step: str, core_id: str | None, request: httpx.Request) -> tuple[int, Any]:
        named = request.url.path.split("/")[-2]
        if step == "events":
            return 200, {"data": self._page(request.url.params)}
        if step == "checkpoints":
            pending = [row for row in self.rows.values() if row["status"] == "pending"]
            return 200, {"data": {"checkpoints": pending, "next_cursor": None}}
        if step == "resolve":
            return self._resolve(self.rows[named], orjson.loads(request.content)["resolution"])
        if step == "cancel":
            self.rows[named]["status"] = "cancelled"
            self.cancelled.append(self.rows[named]["execution_id"])
            return 200, {"data": self.rows[named]}
        if step == "stop":
            return self._stop(named)
        if step == "invoke":
            return 200, {"data": await self._invoke(core_id, request)}
        return await super()._do(step, core_id, request)

    def _page(self, params: httpx.QueryParams) -> Json:
        limit = int(params["limit"])
        if "cursor" in params:
            at = int(params["cursor"])
            found = self.events[at : at + limit]
            return {"events": found, "next_cursor": str(at + len(found))}
        return {"events": self.events[-limit:], "next_cursor": str(len(self.events))}

    async def _invoke(self, core_id: str | None, request: httpx.Request) -> Json:
        self._count += 1
        execution_id = f"exec_{self._count}"
        body = orjson.loads(request.content)
        self.emit(
            "invocation.started", execution_id, input=body["input"], instance_key=body.get("instance_key")
        )
        if self.script is not None:
            self._scripts[execution_id] = self.script(body)
            return self._go_on(execution_id, None)
        _, answer = await super()._do("invoke", core_id, request)
        run = {**answer["data"], "execution_id": execution_id}
        if run["status"] == "COMPLETED" and not self.late_events:
            self.emit("invocation.completed", execution_id, output=run["output"])
        if run["status"] == "FAILED":
            self.emit("invocation.failed", execution_id, error=run.get("error"))
        return run

    def _go_on(self, execution_id: str, given: Any) -> Json:
        """Run a script as far as it comes; return how it stands."""
        state: Json = {"execution_id": execution_id, "output": None}
        script = self._scripts[execution_id]
        try:
            step = script.send(given)
            while isinstance(step, Enter):
                self._enter(execution_id, step)
                step = script.send(None)
        except StopIteration as done:
            self.emit("invocation.completed", execution_id, output=done.value)
            return {**state, "status": "COMPLETED", "output": done.value}
        except Fails as failed:
            self.emit("invocation.failed", execution_id, error={"code": "X", "message": str(failed)})
            return {**state, "status": "FAILED", "error": {"message": str(failed)}}
        waits = step if isinstance(step, list) else [step]
        rows = [self._wait(execution_id, wait) for wait in waits]
        self._ids[execution_id] = {"rows": rows, "many": isinstance(step, list)}
        return {**state, "status": "SUSPENDED", "checkpoint_id": rows[0]["id"]}

    def _enter(self, execution_id: str, step: Enter) -> None:
        self.emit("block.entered", execution_id, node_id=step.node, block_kind="rigid")
        edge = {} if step.edge is object else {"edge_id": step.edge}
        self.emit("block.exited", execution_id, node_id=step.node, block_kind="rigid", **edge)

    def _wait(self, execution_id: str, wait: Wait) -> Json:
        row: Json = {
            "id": f"chk_{len(self.rows) + 1}",
            "core_id": "core_1",
            "execution_id": execution_id,
            "checkpoint_type": wait.type,
            "status": "pending",
            "context": {"node_id": wait.node},
        }
        self.rows[row["id"]] = row
        return row

    def _resolve(self, row: Json, resolution: Any) -> tuple[int, Any]:
        if row["status"] != "pending":
            return 409, orjson.loads(refusal(409, "CHECKPOINT_NOT_PENDING").content)
        self.resolutions.append(resolution)
        answer = {"decision": resolution} if isinstance(resolution, str) else resolution
        row |= {"status": "resolved", "resolution": answer}
        place = self._ids[row["execution_id"]]
        if all(other["status"] == "resolved" for other in place["rows"]):
            answers = [other["resolution"] for other in place["rows"]]
            self._go_on(row["execution_id"], answers if place["many"] else answers[0])
        return 200, {"data": row}

    def _stop(self, execution_id: str) -> tuple[int, Any]:
        self.cancelled.append(execution_id)
        for row in self.rows.values():
            if row["execution_id"] == execution_id and row["status"] == "pending":
                row["status"] = "cancelled"
        self.emit("invocation.failed", execution_id, error={"code": "CANCELLED", "message": "cancelled"})
        return 200, {"data": {"execution_id": execution_id, "status": "CANCELLED"}}
