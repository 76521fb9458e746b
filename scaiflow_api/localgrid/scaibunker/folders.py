"""The folder of a sandbox, from outside. Nothing in it is trusted: no link is followed, no name is believed."""

import os
import shutil
from pathlib import Path

_BLOCK = 4096
"""What an entry takes at least, so that a million empty files are not nothing."""


def make(folder: Path) -> None:
    """Make the folder of a new sandbox, for its owner alone. Raises OSError.

    What is in it are the folders that the sandbox has at its root.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in (folder, folder / "workspace", folder / "tmp"):
        part.mkdir(mode=0o700)


def add(folder: Path, name: str, *, most: int) -> None:
    """Give the sandbox one more folder at its root, unless it has `most` already. Raises OSError."""
    if len(list(folder.iterdir())) < most:
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def names_in(root: Path) -> list[str]:
    """Return the names of the folders that there are."""
    return [path.name for path in root.iterdir()] if root.exists() else []


def size_of(folder: Path, *, most: int) -> int:
    """Return how many bytes the folder takes; counting ends above `most`."""
    waiting, total = [str(folder)], 0
    while waiting and total <= most:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += max(_BLOCK, entry.stat(follow_symlinks=False).st_blocks * 512)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:  # it has gone meanwhile, or was made unreadable from inside
            continue
    return total


def remove(folder: Path) -> None:
    """Remove the folder, where nothing runs any more, even if parts of it were made unwritable. Raises OSError."""
    for parent, inner, _ in os.walk(folder, followlinks=False):
        for path in (Path(parent, name) for name in inner):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)
