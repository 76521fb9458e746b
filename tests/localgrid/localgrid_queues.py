"""A queue to test with, through the wire."""

from dataclasses import dataclass
from typing import Any

from localgrid_support import SCAIQUEUE, Caller

SCOPES = f"{SCAIQUEUE}/scopes"


async def make(caller: Caller, path: str, **body: Any) -> dict[str, Any]:
    response = await caller("POST", path, json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["data"]
    return made


async def listed(caller: Caller, path: str, **params: Any) -> dict[str, Any]:
    response = await caller("GET", path, params=params)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


@dataclass
class TestQueue:
    """One queue, as a caller uses it."""

    __test__ = False

    caller: Caller
    scope: str
    queue: str

    async def publish(self, body: Any = "hello", **more: Any) -> dict[str, Any]:
        return await make(
            self.caller,
            f"{self.scope}/queues/{self.queue}/messages",
            **{"message_type": "t", "body": body} | more,
        )

    async def claim(self, most: int = 1, caller: Caller | None = None) -> list[dict[str, Any]]:
        path = f"{self.scope}/queues/{self.queue}/claim"
        response = await (caller or self.caller)("POST", path, json={"batch_size": most})
        assert response.status_code == 200, response.text
        claimed: list[dict[str, Any]] = response.json()["data"]
        return claimed

    async def bodies(self, most: int = 100, caller: Caller | None = None) -> list[Any]:
        return [message["body"] for message in await self.claim(most, caller)]

    async def end(self, verb: str, message: dict[str, Any], caller: Caller | None = None, **body: Any) -> Any:
        """Complete, fail, release or extend; return the response."""
        return await (caller or self.caller)(
            "POST", f"{self.scope}/messages/{message['id']}/{verb}", json=body
        )

    async def read(self, message: dict[str, Any]) -> dict[str, Any]:
        return await listed(self.caller, f"{self.scope}/messages/{message['id']}")

    async def row(self) -> dict[str, Any]:
        return await listed(self.caller, f"{self.scope}/queues/{self.queue}")


async def a_queue(caller: Caller, scope: str = "support", queue: str = "review", **more: Any) -> TestQueue:
    """Make a scope with a queue."""
    path = f"{SCOPES}/{(await make(caller, SCOPES, slug=scope))['id']}"
    made = await make(caller, f"{path}/queues", slug=queue, **more)
    return TestQueue(caller, path, made["id"])
