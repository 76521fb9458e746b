"""Reading the files that commands are given, and writing what they make."""

import json
import os
import sys
from pathlib import Path
from stat import S_ISREG

from scaiflow_api.cli.failure import CommandFailed, Unusable

STANDARD = "-"
"""The name of standard input and standard output."""
MAX_BYTES = 64 * 1024 * 1024
"""Several times what the limits of flows and manifests leave room for, however it is indented."""


class Malformed(Unusable):
    """What a file holds is not what is read from it. `place` stands behind its name: `:3`, `:3:7` or nothing."""

    def __init__(self, name: str, place: str, problem: str) -> None:
        self.place = f"{shown_name(name)}{place}"
        self.problem = problem
        super().__init__(f"{self.place}: {problem}")


def shown_name(name: str) -> str:
    """Return how messages call a file."""
    return "<stdin>" if name == STANDARD else name


def read_bytes(name: str) -> bytes:
    """Return what a file or standard input holds. Raises Unusable."""
    try:
        if name == STANDARD:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot read {shown_name(name)}: {reason_of(error)}") from None
    if len(data) > MAX_BYTES:
        raise Unusable(f"{shown_name(name)} is larger than {MAX_BYTES:,} bytes")
    return data


def decode(name: str, data: bytes) -> str:
    """Return the text in the bytes of a file, without a byte order mark. Raises Malformed."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Malformed(name, f":{line}", "the text is not UTF-8") from None


def write_output(target: str, data: bytes) -> None:
    """Write to a file, whole or not at all, or to standard output. Raises CommandFailed."""
    if target == STANDARD:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        _replace(Path(target), data)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise CommandFailed(f"cannot write {target}: {reason_of(error)}") from None


def refuse_sources(target: str, *sources: str) -> None:
    """See that a file which is to be written is none of those that are read. Raises Unusable."""
    if target != STANDARD and any(_is_same_file(Path(target), source) for source in sources):
        raise Unusable(f"{target} is what is read, and would be lost; name another file")


def require_target(target: str) -> None:
    """See before any work is done that something could be written to a file. Raises Unusable."""
    path = Path(target)
    if target == STANDARD:
        return
    if path.is_dir() or not path.parent.is_dir():
        raise Unusable(
            f"cannot write {target}: {'it is a folder' if path.is_dir() else 'there is no such folder'}"
        )


def print_json(value: object) -> None:
    """Write a JSON value to standard output."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # The one thing that UTF-8 lacks, half a surrogate pair, becomes the escape that JSON has for it.
    write_output(STANDARD, f"{text}\n".encode(errors="backslashreplace"))


def _replace(path: Path, data: bytes) -> None:
    """Give a finished file its name in one step; through a link, that of the file behind it."""
    path = path.resolve()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not S_ISREG(mode):
        path.write_bytes(data)  # a device or a pipe; a folder says so itself
        return
    spooled = path.with_name(f".{path.name[:64]}.{os.getpid()}")
    try:
        with spooled.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            spooled.chmod(mode & 0o777)
        spooled.replace(path)
    finally:
        spooled.unlink(missing_ok=True)


def _is_same_file(path: Path, source: str) -> bool:
    try:
        return source != STANDARD and path.samefile(source)
    except (OSError, ValueError):
        return False


def reason_of(error: Exception) -> str:
    """Return why something could not be read or written, without repeating its name."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
