"""How a command says that it cannot go on."""

import sys
from collections.abc import Callable


class CommandFailed(Exception):
    """One clear sentence for the person at the terminal."""


def explained(run: Callable[[], None]) -> None:
    """Run a command; a failure is one sentence on standard error and exit code 1."""
    try:
        run()
    except CommandFailed as failure:
        sys.exit(f"scaiflow: {failure}")
