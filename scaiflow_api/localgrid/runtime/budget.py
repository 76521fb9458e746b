"""How much a run may do."""

from scaiflow_api.localgrid.runtime.failures import RunFailed

_BLOCKS_BETWEEN_PAUSES = 32


class BlockBudget:
    """The blocks that a run may still execute, whatever runs at the same time. Every round of a loop costs one."""

    def __init__(self, blocks: int) -> None:
        self._left = blocks

    def spend(self) -> bool:
        """Take one; return whether it is time to let others have their turn. Raises RunFailed when none is left."""
        if self._left == 0:
            raise RunFailed("TOO_MANY_BLOCKS", "the run executed more blocks than this grid allows")
        self._left -= 1
        # Deterministic blocks never wait by themselves, not even for a time limit.
        return self._left % _BLOCKS_BETWEEN_PAUSES == 0
