"""A load generator that costs little: keep-alive connections on plain sockets, one request at a time on each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as bytes, and the status that its answer must have."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    status: int = 200

    def encode(self) -> bytes:
        parts = urlsplit(self.url)
        lines = [
            f"{self.method} {parts.path}{'?' if parts.query else ''}{parts.query} HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Content-Length: {len(self.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Rate:
    """What runs of requests achieved."""

    seconds: float
    laps: tuple[float, ...]
    """How long each request took, in seconds."""

    @property
    def per_second(self) -> float:
        return len(self.laps) / self.seconds

    def percentile_ms(self, percent: int) -> float:
        return quantiles(self.laps, n=100)[percent - 1] * 1000

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(self.seconds + other.seconds, self.laps + other.laps)

    def __str__(self) -> str:
        return (
            f"{self.per_second:8.0f} /s   p50 {self.percentile_ms(50):6.2f} ms   "
            f"p99 {self.percentile_ms(99):6.2f} ms"
        )


async def drive(requests: Sequence[Request], *, seconds: float) -> Rate:
    """Send each request over and over on a connection of its own. An answer of another status ends the run."""
    started = time.perf_counter()
    laps = await asyncio.gather(*(_repeat(request, started + seconds) for request in requests))
    elapsed = time.perf_counter() - started
    return Rate(elapsed, tuple(lap for one in laps for lap in one))


async def _repeat(request: Request, until: float) -> list[float]:
    parts = urlsplit(request.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    sent = request.encode()
    expected = f"HTTP/1.1 {request.status}".encode()
    laps: list[float] = []
    while (begun := time.perf_counter()) < until:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(expected):
            raise RuntimeError(head.split(b"\r\n")[0].decode())
        await reader.readexactly(_length(head))
        laps.append(time.perf_counter() - begun)
    writer.close()
    return laps


def _length(head: bytes) -> int:
    """Return how many bytes follow a head; a 304 says nothing of it."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
