"""A ScaiQueue for tests: scopes and queues in memory, whose slugs are taken once."""

from itertools import count
from typing import Any, ClassVar, TypeAlias

import httpx
import orjson

Json: TypeAlias = dict[str, Any]


class PlayedQueues:
    """Answers `scopes`, `create_scope`, `queues` and `create_queue`."""

    PATH: ClassVar = "/v1/modules/scaiqueue/scopes"
    STEPS: ClassVar = frozenset({"scopes", "create_scope", "queues", "create_queue"})

    def __init__(self) -> None:
        self._numbers = count(1)
        self.scopes: dict[str, Json] = {}
        """Slug → scope."""
        self.queues: dict[tuple[str, str], Json] = {}
        """Id of the scope, slug → queue."""

    @classmethod
    def step(cls, method: str, path: str) -> str:
        what = "queue" if path.endswith("/queues") else "scope"
        return f"create_{what}" if method == "POST" else f"{what}s"

    def add_scope(self, slug: str, **row: Any) -> Json:
        scope = {"id": f"sc_{next(self._numbers)}", "slug": slug, "display_name": slug, **row}
        self.scopes[slug] = scope
        return scope

    def add_queue(self, scope_id: str, slug: str, **row: Any) -> Json:
        queue = {"id": f"q_{next(self._numbers)}", "scope_id": scope_id, "slug": slug, **row}
        self.queues[scope_id, slug] = queue
        return queue

    def answer(self, step: str, request: httpx.Request) -> httpx.Response:
        scope_id = request.url.path.removesuffix("/queues").rpartition("/")[2]
        if step == "scopes":
            return httpx.Response(200, json={"data": list(self.scopes.values())})
        if step == "queues":
            rows = [queue for (scope, _), queue in self.queues.items() if scope == scope_id]
            return httpx.Response(200, json={"data": rows})
        body = orjson.loads(request.content)
        slug = body.pop("slug")
        if slug in self.scopes if step == "create_scope" else (scope_id, slug) in self.queues:
            error = {"code": "SLUG_CONFLICT", "message": "slug taken"}
            return httpx.Response(409, json={"status": "error", "error": error})
        made = (
            self.add_scope(slug, **body) if step == "create_scope" else self.add_queue(scope_id, slug, **body)
        )
        return httpx.Response(201, json={"data": made})
