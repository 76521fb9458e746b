"""Branches that run at the same time."""

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame
from scaiflow_api.localgrid.runtime.lane import Lane
from scaiflow_api.localgrid.runtime.nested import Walker, run_together


async def run_parallel(block: ir.ParallelBlock, frame: Frame, walker: Walker) -> None:
    """Run the branches and let what they leave join `frame`.

    Raises the BlockFailed of the branch that failed first or, without `fail_fast`, of the first branch that failed.
    """
    count = len(block.branches)
    frames = [frame.branch() for _ in range(count)]
    failures: dict[int, BlockFailed] = {}

    async def run_branch(index: int, lane: Lane) -> None:
        frames[index].lane = lane
        try:
            await walker.run_body(block.branches[index].body, frames[index])
        except BlockFailed as failure:
            if block.fail_fast:
                raise
            failures[index] = failure

    await run_together(run_branch, count, block.max_concurrent or count, frame.lane)
    if failures:
        raise failures[min(failures)]
    frame.join(frames, block.merge_order)
