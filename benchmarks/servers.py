"""The servers that are measured, each a process on a port of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psutil


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def environment(chosen: dict[str, str]) -> Iterator[None]:
    """Set variables, also for the processes that are started; what was there before comes back at the end."""
    before = dict(os.environ)
    os.environ |= chosen
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


@contextmanager
def running(
    command: list[str], url: str, *, program: str = sys.executable, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start a process and wait until `url` answers; yield it and the seconds that took."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [program, *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            with suppress(httpx.TransportError):
                httpx.get(url, timeout=1, trust_env=False)
                break
            if process.poll() is not None or time.perf_counter() - started > 60:
                raise RuntimeError(f"{command} does not answer at {url}")
            time.sleep(0.02)
        yield process, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(20)


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Return what the process keeps in memory."""
    return float(psutil.Process(process.pid).memory_info().rss) / 1024**2
