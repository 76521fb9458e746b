"""Writing settings into a file: the lines of others stay, nobody else can read it, and it is never there by half."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values, set_key

from scaiflow_api.cli.failure import CommandFailed

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file of settings, and a copy of it that takes its place when everything is written."""

    path: Path
    copy: Path

    @property
    def values(self) -> dict[str, str]:
        """What is set, empty values left out."""
        return {name: value for name, value in dotenv_values(self.copy).items() if value}

    def write(self, values: Mapping[str, str]) -> bool:
        """Set these; False: the file said so already. Raises CommandFailed."""
        held = self.values
        as_it_is = self.path.exists() and self.path.stat().st_mode & 0o777 == _MODE
        if as_it_is and all(held.get(name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            set_key(self.copy, name, value)
        if any(self.values.get(name) != value for name, value in values.items()):
            raise CommandFailed(f"a value that ScaiKey gave cannot be written into {self.path}")
        self.copy.chmod(_MODE)
        if self.path.exists():
            # Whoever could read it goes on to: a service whose settings root writes is not root.
            owner = self.path.stat()
            os.chown(self.copy, owner.st_uid, owner.st_gid)
        with self.copy.open("rb") as written:
            os.fsync(written.fileno())
        self.copy.replace(self.path)
        return True


@contextmanager
def settings_file(named: str) -> Iterator[SettingsFile]:
    """Open a file that need not exist. That it can be written is known before the block begins."""
    path = Path(os.path.realpath(named))
    copy = None
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}."
        )  # only its owner can read it
        copy = Path(name)
        with os.fdopen(handle, "wb") as target:
            target.write(path.read_bytes() if path.exists() else b"")
        copy.read_text("utf-8")
        yield SettingsFile(path, copy)
    except UnicodeDecodeError:
        raise CommandFailed(f"{named} is not UTF-8") from None
    except OSError as error:
        raise CommandFailed(f"{named} cannot be written: {error.strerror}") from None
    finally:
        if copy is not None:
            with suppress(OSError):
                copy.unlink(missing_ok=True)
