"""A server on the loopback that answers each request as its script says: what a real one rarely does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HangUp:
    """The request was heard, the answer is lost."""


@dataclass(frozen=True)
class Silence:
    """Nothing comes until the client gives up."""


Step = Answer | HangUp | Silence | Callable[[list[Request]], Answer]
"""A callable sees all requests so far, its own the last."""


class ScriptedS3:
    def __init__(self, script: list[Step]) -> None:
        self.script = script
        self.heard: list[Request] = []
        self.url = ""
        self._talks: set[asyncio.Task[None]] = set()

    def methods(self) -> list[str]:
        return [request.method for request in self.heard]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        if headers.get("expect") == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append(Request(method, path, headers))
        step = self.script.pop(0)
        if isinstance(step, HangUp):
            return False
        if isinstance(step, Silence):
            await reader.read()
            return False
        answer = step if isinstance(step, Answer) else step(list(self.heard))
        lines = [f"HTTP/1.1 {answer.status} X"]
        lines += [
            f"{name}: {value}"
            for name, value in ({"content-length": str(len(answer.body))} | answer.headers).items()
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + answer.body)
        await writer.drain()
        return answer.headers.get("content-length") in {None, str(len(answer.body))}


@asynccontextmanager
async def scripted_s3(*script: Step) -> AsyncIterator[ScriptedS3]:
    scripted = ScriptedS3(list(script))
    server = await asyncio.start_server(scripted.talk, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()
        await scripted.stop()
    assert scripted.script == [], "the client asked less often than the script says"
