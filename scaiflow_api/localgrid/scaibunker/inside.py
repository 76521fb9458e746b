"""Runs as the first program inside of a sandbox: limits itself, then becomes the command or handles one file.

Its text is handed to the sandbox's Python, so it may use nothing but the standard library. Arguments: limits as
JSON, a verb, and what the verb needs. Everything here happens inside, links and all, so a path can name only what
the sandbox may reach anyway.
"""

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import NoReturn

NOT_FOUND = 44
REFUSED = 45
IS_FOLDER = 46


def main(limits: str, verb: str, *args: str) -> None:
    """Do what the verb says."""
    import resource  # noqa: PLC0415 - Unix alone has it, and others import the exit codes

    for name, asked in json.loads(limits).items():
        if name == "RLIMIT_NPROC" and not counts_by_namespace():
            continue
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        most = asked if hard == resource.RLIM_INFINITY else min(asked, hard)
        resource.setrlimit(kind, (most, most))
    os.nice(10)
    if verb == "exec":
        execute(*args)
    try:
        {"write": write, "read": read, "list": list_folder, "delete": delete}[verb](*args)
    except FileNotFoundError as error:
        end(NOT_FOUND, error)
    except OSError as error:
        end(REFUSED, error)


def counts_by_namespace() -> bool:
    """Return whether the kernel counts processes in the sandbox alone, not those of its user outside as well."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (5, 14)


def execute(workdir: str, *command: str) -> NoReturn:
    """Become the command. Exits as a shell does where that cannot be: 126, or 127 if there is none."""
    try:
        os.chdir(workdir)
    except OSError as error:
        end(126, error)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the point of it; already shut in
    except FileNotFoundError as error:
        end(127, error, command[0])
    except (OSError, ValueError) as error:
        end(126, error, command[0])


def write(path: str) -> None:
    """Write what comes in into a file, and make the folders that lead to it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not through a pipe or a device: those could wait for ever.
    if target.exists() and not target.is_file():
        raise OSError("it is no file")
    with target.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)


def read(path: str) -> None:
    """Write a file out."""
    source = Path(path)
    mode = source.stat().st_mode
    if stat.S_ISDIR(mode):
        sys.exit(IS_FOLDER)
    if not stat.S_ISREG(mode):
        raise OSError("it is no file")
    with source.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


def list_folder(path: str) -> None:
    """Write a folder's entries out as JSON."""
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    rows = [
        {
            "name": entry.name.encode("utf-8", "replace").decode(),
            "type": "link" if entry.is_symlink() else "folder" if entry.is_dir() else "file",
            "size": entry.stat(follow_symlinks=False).st_size,
        }
        for entry in entries
    ]
    json.dump(rows, sys.stdout)


def delete(path: str) -> None:
    """Delete a file, a link, or a folder with all in it."""
    target = Path(path)
    if target.is_mount():
        raise OSError("the folder belongs to the sandbox")
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink()


def end(code: int, error: Exception, what: str | None = None) -> NoReturn:
    """Say what is wrong, and exit."""
    reason = getattr(error, "strerror", None) or str(error)
    where = what or getattr(error, "filename", None)
    sys.stderr.write(f"{where}: {reason}\n" if where else f"{reason}\n")
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
