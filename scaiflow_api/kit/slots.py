"""Places of which there are only so many."""

from collections.abc import Iterator
from contextlib import contextmanager


class NoSlotFree(Exception):
    """All places are taken."""


class Slots:
    """Hands out up to `limit` places in this process, without waiting."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place for the length of the block. Raises NoSlotFree."""
        if self.taken >= self.limit:
            raise NoSlotFree
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
