"""A ScaiGrid for tests that keeps Cores in memory, answers over respx, and fails where it is told to."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeAlias

import httpx
import orjson
import respx
import yaml
from played_queues import PlayedQueues

Json: TypeAlias = dict[str, Any]
Fault: TypeAlias = (
    httpx.Response | Exception | Callable[[httpx.Request], Awaitable[httpx.Response | None]] | None
)

CORES = "/v1/modules/scaicore/cores"
CHECKPOINTS = "/v1/modules/scaicore/checkpoints"
EXECUTIONS = "/v1/modules/scaicore/executions"
_OTHER_MODULES = ("/v1/modules/scaiqueue/", "/v1/modules/scaibunker/")


def refusal(status: int, code: str = "SOME_CODE", message: str = "some message") -> httpx.Response:
    return httpx.Response(status, json={"status": "error", "error": {"code": code, "message": message}})


class PlayedGrid:
    """A ScaiGrid with its ScaiQueue.

    A step is `create`, `replace`, `get`, `list`, `delete`, `start`, `publish`, `sync`, `invoke`, `events`, `me`,
    `models`, `bunkers`, or one of PlayedQueues; of what runs wait for `checkpoints`, `checkpoint`, `resolve` and
    `cancel`. `lists[step]` is what the four lists are answered instead of what is there. `faults[step]` holds what
    the next calls of a step meet instead; None lets one through.
    """

    def __init__(self, router: respx.MockRouter, base_url: str) -> None:
        router.route(url__startswith=base_url).mock(side_effect=self._answer)
        self._base_url = base_url
        self._numbers = count(1)
        self.cores: dict[str, Json] = {}
        self.manifests: dict[str, Json] = {}
        self.steps: list[str] = []
        self.requests: list[httpx.Request] = []
        self.faults: dict[str, list[Fault]] = {}
        self.starts_as = "running"
        self.on_invoke: Callable[[Json], Awaitable[Json] | Json] = lambda body: {"output": body["input"]}
        self.events: list[Json] = []
        self.lists: dict[str, Any] = {}
        self.queues = PlayedQueues()
        self.checkpoints: dict[str, Json] = {}

    def add_core(self, *, source_id: str | None, slug: str, status: str = "running") -> Json:
        core: Json = {
            "id": f"core_{next(self._numbers)}",
            "slug": slug,
            "name": slug,
            "status": status,
            "metadata": {"source_id": source_id},
        }
        self.cores[core["id"]] = core
        return core

    def add_checkpoint(self, core_id: str, execution_id: str = "exec_1", status: str = "pending") -> Json:
        row: Json = {
            "id": f"chk_{next(self._numbers)}",
            "core_id": core_id,
            "execution_id": execution_id,
            "checkpoint_type": "approval",
            "status": status,
            "context": {"node_id": "node_ask"},
            "unknown": [1.5, None],
        }
        self.checkpoints[row["id"]] = row
        return row

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(httpx.URL(self._base_url).path.rstrip("/"))
        step, core_id = self._step(request.method, path)
        self.steps.append(step)
        self.requests.append(request)
        if self.faults.get(step):
            fault = self.faults[step].pop(0)
            if isinstance(fault, Exception):
                raise fault
            answer = await fault(request) if callable(fault) else fault
            if answer is not None:
                return answer
        if core_id is not None and core_id not in self.cores:
            return refusal(404, "CORE_NOT_FOUND", "no such Core")
        if step in PlayedQueues.STEPS and step not in self.lists:
            return self.queues.answer(step, request)
        status, body = await self._do(step, core_id, request)
        return httpx.Response(status, json=body)

    def _step(self, method: str, path: str) -> tuple[str, str | None]:
        if method == "GET" and (path == "/v1/models" or path.startswith(_OTHER_MODULES)):
            return path.rpartition("/")[2], None
        if path.startswith(PlayedQueues.PATH):
            return PlayedQueues.step(method, path), None
        if path == "/v1/auth/me":
            return "me", None
        if path == "/v1/modules/scaicore/events":
            return "events", None
        if path == CORES:
            return {"POST": "create", "GET": "list"}[method], None
        if path.startswith(CHECKPOINTS):
            checkpoint_id, _, action = path.removeprefix(CHECKPOINTS).lstrip("/").partition("/")
            return action or ("checkpoint" if checkpoint_id else "checkpoints"), None
        if path.startswith(EXECUTIONS):
            return "cancel", None
        core_id, _, action = path.removeprefix(f"{CORES}/").partition("/")
        return action or {"PUT": "replace", "GET": "get", "DELETE": "delete"}[method], core_id

    async def _do(self, step: str, core_id: str | None, request: httpx.Request) -> tuple[int, Json]:
        core = self.cores.get(core_id or "")
        if step in {"create", "replace"}:
            return self._place(core, request)
        if step == "list":
            return 200, {"data": {"items": list(self.cores.values())}}
        if step in {"checkpoints", "checkpoint", "resolve", "cancel"}:
            return self._wait(step, request)
        if step == "events":
            return 200, {"data": {"events": self.events, "next_cursor": "next"}}
        if step in {"models", "scopes", "queues", "bunkers"}:
            return 200, self.lists.get(step, {"data": {"items": []}})
        if step == "me":
            return 200, {"data": {"id": "svc_played", "tenant_id": None, "roles": [], "permissions": []}}
        assert core is not None
        if step == "delete":
            del self.cores[core["id"]]
        if step == "start":
            core["status"] = self.starts_as
        if step == "publish":
            if core["metadata"].get("published"):
                return 400, orjson.loads(
                    refusal(400, "VALIDATION_ERROR", "Core is already published").content
                )
            core["metadata"] |= {
                "published": True,
                "published_slug": f"scaicore/acme/{core['slug']}",
                "published_model_id": f"mdl_{core['id']}",
            }
        if step == "invoke":
            told = self.on_invoke(orjson.loads(request.content))
            run = told if isinstance(told, dict) else await told
            return 200, {"data": {"execution_id": "exec_1", "status": "COMPLETED", **run}}
        return 200, {"data": core}

    def _wait(self, step: str, request: httpx.Request) -> tuple[int, Json]:
        if step == "cancel":
            return 200, {"data": {}}
        if step == "checkpoints":
            asked = request.url.params
            rows = [
                row
                for row in self.checkpoints.values()
                if row["status"] in asked["status"].split(",")
                and asked.get("core_id") in (None, row["core_id"])
            ]
            return 200, {"data": {"items": rows, "next_cursor": "next"}}
        row = self.checkpoints.get(request.url.path.partition("/checkpoints/")[2].partition("/")[0])
        if row is None:
            return 404, orjson.loads(refusal(404, "NOT_FOUND", "no such checkpoint").content)
        if step == "resolve":
            if row["status"] != "pending":
                return 409, orjson.loads(refusal(409, "CONFLICT", "not pending").content)
            row |= {"status": "resolved", **orjson.loads(request.content)}
        return 200, {"data": row}

    def _place(self, core: Json | None, request: httpx.Request) -> tuple[int, Json]:
        assert request.headers["Content-Type"] == "application/yaml"
        manifest = yaml.load(request.content, Loader=yaml.CSafeLoader)["core"]
        taken = any(other["slug"] == manifest["name"] for other in self.cores.values() if other is not core)
        if taken:
            return 409, orjson.loads(refusal(409, "SLUG_CONFLICT", "slug taken").content)
        created = core is None
        core = core or self.add_core(source_id=None, slug=manifest["name"], status="created")
        core["name"] = manifest["name"]
        core["metadata"] |= {"source_id": manifest["scaiflow_meta"]["source_id"]}
        self.manifests[core["id"]] = manifest
        return 201 if created else 200, {"data": core}
