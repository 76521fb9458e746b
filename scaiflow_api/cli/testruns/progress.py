"""How far a test run is: one line on a terminal that is written over, and nothing where no person looks."""

import shutil
import sys
from types import TracebackType
from typing import Self

from scaiflow_api.cli.terminal import GREEN, RED, Paint, visible
from scaiflow_api.domains.testruns.schemas import FixtureResult

_WIDTH = 24
_CLEAR = "\r\033[K"


class Progress:
    """A bar on standard error, gone when the block ends."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._passed = 0
        self._failed = 0
        self._paint = Paint(sys.stderr)
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        self._draw("")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    def done(self, result: FixtureResult) -> None:
        """Count a result."""
        self._passed += result.ok
        self._failed += not result.ok
        self._draw(result.name)

    def _draw(self, name: str) -> None:
        if not self._shown:
            return
        count = self._passed + self._failed
        filled = _WIDTH * count // max(self._total, 1)
        counted = f" {count}/{self._total}"
        failed = f" {self._failed} failed" if self._failed else ""
        room = shutil.get_terminal_size().columns - _WIDTH - len(counted) - len(failed) - 4
        bar = self._paint("█" * filled, RED if self._failed else GREEN) + "░" * (_WIDTH - filled)
        line = f"{bar}{counted}{self._paint(failed, RED)} {visible(name)[: max(room, 0)]}"
        sys.stderr.write(_CLEAR + line)
        sys.stderr.flush()
