"""What the blocks that contain others share: who runs their bodies, and how several run at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame
from scaiflow_api.localgrid.runtime.lane import Lane, Traffic

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


Job: TypeAlias = Callable[[int, Lane], Awaitable[None]]


async def run_together(job: Job, count: int, at_once: int, lane: Lane) -> None:
    """Run `job` for every number below `count`, begun in order, at most `at_once` of them at the same time.

    Those that run at the same time get lanes of their own. The first one that raises ends all: the others are
    cancelled, and what it raised is raised here, and again whenever the run is gone through again.
    """
    if at_once <= 1:
        await _run_workers(lambda number: job(number, lane), count, 1, lane.traffic)
        return
    place = lane.step()
    failed = lane.record.failure_at(place)
    if failed is not None:
        raise failed
    try:
        await _run_workers(
            lambda number: job(number, lane.inner(place, number)), count, at_once, lane.traffic
        )
    except BlockFailed as failure:
        # Which one fails first, and what the others had done by then, is a matter of chance.
        lane.record.keep_failure(place, failure)
        raise


async def _run_workers(
    job: Callable[[int], Awaitable[None]], count: int, at_once: int, traffic: Traffic
) -> None:
    """Run jobs in tasks of their own, one at a time as well, so that nested blocks do not deepen the stack."""
    waiting = iter(range(count))

    async def work() -> None:
        for number in waiting:
            await job(number)

    # No TaskGroup: in Python 3.11 one that fails leaves its task marked as cancelled, which breaks time limits.
    tasks = [asyncio.create_task(work()) for _ in range(min(count, at_once, MOST_AT_ONCE))]
    pending = set(tasks)
    more = max(len(tasks) - 1, 0)  # one of them goes on for the lane that waits here
    traffic.lanes(more)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task in done:
                    task.result()
            ended = len(done) if pending else more
            more -= ended
            traffic.lanes(-ended)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        traffic.lanes(-more)
