"""A load generator that costs little: keep-alive connections on plain sockets, one request at a time on each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as bytes."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""

    def encode(self) -> bytes:
        parts = urlsplit(self.url)
        lines = [
            f"{self.method} {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Content-Length: {len(self.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Rate:
    """What a run of requests achieved."""

    per_second: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"{self.per_second:8.0f} /s   p50 {self.p50_ms:6.2f} ms   p99 {self.p99_ms:6.2f} ms"


async def drive(requests: Sequence[Request], *, seconds: float) -> Rate:
    """Send each request over and over on a connection of its own. An answer that is no 200 ends the run."""
    until = time.perf_counter() + seconds
    started = time.perf_counter()
    laps = await asyncio.gather(*(_repeat(request, until) for request in requests))
    elapsed = time.perf_counter() - started
    times = [lap for one in laps for lap in one]
    cuts = quantiles(times, n=100)
    return Rate(len(times) / elapsed, cuts[49] * 1000, cuts[98] * 1000)


async def _repeat(request: Request, until: float) -> list[float]:
    parts = urlsplit(request.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    sent = request.encode()
    laps: list[float] = []
    while (begun := time.perf_counter()) < until:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.split(b"\r\n")[0].decode())
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        laps.append(time.perf_counter() - begun)
    writer.close()
    return laps
