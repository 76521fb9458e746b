"""How a command stops: exceptions with a message for the user, and their exit codes."""

import os
import sys
from collections.abc import Callable
from errno import ENOSPC
from typing import ClassVar

from scaiflow_api.cli.terminal import visible

_INTERRUPTED = 130
"""What shells say of a command that Ctrl-C ended."""


class CommandFailed(Exception):
    """One clear sentence for the person at the terminal."""

    exit_code: ClassVar[int] = 1


class Unusable(CommandFailed):
    """What the command was given cannot be read or used, which is not a finding about it."""

    exit_code = 2


def explained(run: Callable[[], int | None]) -> None:
    """Run a command and leave with its exit code; a failure is one sentence on standard error."""
    try:
        code = _code_of(run)
        sys.stdout.flush()
    except CommandFailed as failure:
        print(f"scaiflow: {visible(str(failure))}", file=sys.stderr)
        code = failure.exit_code
    except BrokenPipeError:
        _drop_what_is_left()  # the reader of the output has closed it
        code = 1
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        _drop_what_is_left()
        print(f"scaiflow: cannot write the output: {error.strerror}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


def _code_of(run: Callable[[], int | None]) -> str | int | None:
    """Return the exit code also of what exits by itself, as the parser does after its help."""
    try:
        return run()
    except SystemExit as ended:
        return ended.code


def _drop_what_is_left() -> None:
    """Let what is still to be written to standard output not fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
