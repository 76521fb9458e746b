"""What the blocks that contain others share: who runs their bodies, and how several run at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.frame import Frame

MOST_AT_ONCE = 256
"""So many rounds of a loop, or branches, run at the same time at most, whatever the author allows."""


class Walker(Protocol):
    """Runs bodies: the interpreter of a run."""

    async def run_body(self, body: tuple[ir.AnyBlock, ...], frame: Frame) -> None:
        """Run the blocks of a body in order. Raises BlockFailed, or RunFailed when the run may not go on."""
        ...

    async def spend(self) -> None:
        """Take one block from the run's budget. Raises RunFailed."""
        ...


async def run_together(job: Callable[[int], Awaitable[None]], count: int, at_once: int) -> None:
    """Run `job` for every number below `count`, begun in order, at most `at_once` of them at the same time.

    The first one that raises ends all: the others are cancelled, and what it raised is raised here. Jobs run in
    tasks of their own, one at a time as well, so that nested blocks do not deepen the stack.
    """
    waiting = iter(range(count))

    async def work() -> None:
        for number in waiting:
            await job(number)

    # No TaskGroup: in Python 3.11 one that fails leaves its task marked as cancelled, which breaks time limits.
    tasks = [asyncio.create_task(work()) for _ in range(min(count, at_once, MOST_AT_ONCE))]
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()
