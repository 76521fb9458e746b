"""What the processes of a sandbox use together, as Linux tells it; limits of the kernel are for each alone."""

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processes, and the bytes of memory that are theirs."""

    processes: int
    memory_bytes: int


def usage_below(pid: int, *, most: int) -> Usage:
    """Return what the descendants of a process use; counting ends above `most` processes."""
    waiting, seen, memory = _children(pid), 0, 0
    while waiting and seen <= most:
        child = waiting.pop()
        seen += 1
        memory += _memory(child)
        waiting += _children(child)
    return Usage(seen, memory)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:  # it has ended meanwhile
        pass
    return found


def _memory(pid: int) -> int:
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    kilobytes = 0
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name in {"RssAnon", "RssShmem"}:
            kilobytes += int(value.split()[0])
    return kilobytes * 1024
