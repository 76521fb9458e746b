"""The Redis of the service tests: this machine's, or the one that `SCAIFLOW_TEST_REDIS_URL` names."""

import asyncio
import os
from urllib.parse import urlsplit

URL = os.environ.get("SCAIFLOW_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


class Cable:
    """A way to that Redis which can be cut and mended."""

    def __init__(self) -> None:
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}{urlsplit(URL).path}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        parts = urlsplit(URL)
        far_in, far_out = await asyncio.open_connection(parts.hostname, parts.port or 6379)
        self._writers += [near_out, far_out]
        await asyncio.gather(_pour(near_in, far_out), _pour(far_in, near_out))


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()
