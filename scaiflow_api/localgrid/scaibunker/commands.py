"""What is done in a bunker: commands and files, in the words of ScaiBunker."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from scaiflow_api.localgrid.scaibunker import inside
from scaiflow_api.localgrid.scaibunker.bubblewrap import WORKSPACE
from scaiflow_api.localgrid.scaibunker.bunkers import Bunkers
from scaiflow_api.localgrid.scaibunker.sandbox import Finished
from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid

MAX_TIMEOUT_S = 600
MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_WORDS_BYTES = 96 * 1024
_FILE_TIMEOUT_S = 30
_TOP = re.compile(r"/([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})/.")
"""The folder at the root that a path leads through."""


@dataclass(frozen=True, slots=True)
class CommandDone:
    """How a command ended, its output as text."""

    exit_code: int
    stdout: str
    stderr: str
    stopped: str | None
    truncated: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as it goes on the wire."""
        return {
            "exit_code": self.exit_code,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "stopped": self.stopped,
            "truncated": self.truncated,
        }


class Commands:
    """Commands and files in the bunkers of one tenant. Every method raises GridError."""

    def __init__(self, bunkers: Bunkers, tenant_id: str) -> None:
        self._bunkers = bunkers
        self._tenant_id = tenant_id

    async def execute(
        self,
        bunker_id: str,
        command: Sequence[str] | str,
        *,
        timeout_s: float,
        env: Mapping[str, str],
        workdir: str | None,
    ) -> CommandDone:
        """Run a command; a text is one for the shell."""
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        _demand_sendable(words, "command")
        _demand_sendable([word for pair in env.items() for word in pair], "env")
        if any(not name or "=" in name for name in env):
            raise invalid("the name of a variable is not empty and has no equals sign", "env")
        if not command or not words[0]:
            raise invalid("a command must not be empty", "command")
        done = await self._bunkers.run(
            self._tenant_id,
            bunker_id,
            ["exec", _path(workdir or WORKSPACE, "workdir"), *words],
            timeout_s=min(timeout_s, MAX_TIMEOUT_S),
            env=env,
        )
        return CommandDone(
            exit_code=done.exit_code,
            stdout=done.stdout.decode(errors="replace"),
            stderr=done.stderr.decode(errors="replace"),
            stopped=done.stopped,
            truncated=done.truncated,
        )

    async def write_file(self, bunker_id: str, path: str, content: bytes) -> None:
        """Write a file, and make the folders that lead to it."""
        path = _path(path, "path")
        if len(content) > MAX_FILE_BYTES:
            raise GridError(413, "PAYLOAD_TOO_LARGE", f"A file may have {MAX_FILE_BYTES:,} bytes.")
        bunker = await self._bunkers.get(self._tenant_id, bunker_id)
        if not await self._bunkers.has_room(bunker, len(content)):
            raise GridError(409, "BUNKER_DISK_FULL", f"The bunker has its {bunker.spec.disk_mb} MB.")
        top = _TOP.match(posixpath.normpath(path))
        if top is not None:
            await self._bunkers.add_folder(bunker, top[1])
        await self._file(bunker_id, path, ["write"], stdin=content)

    async def read_file(self, bunker_id: str, path: str) -> bytes | None:
        """Return the content of a file; None: it is a folder."""
        path = _path(path, "path")
        done = await self._file(bunker_id, path, ["read"])
        if done.truncated:
            raise GridError(413, "PAYLOAD_TOO_LARGE", f"{path} has more than {MAX_FILE_BYTES:,} bytes.")
        return None if done.exit_code == inside.IS_FOLDER else done.stdout

    async def list_folder(self, bunker_id: str, path: str) -> list[dict[str, Any]]:
        """Return `{name, type, size}` of what is in a folder."""
        done = await self._file(bunker_id, _path(path, "path"), ["list"])
        rows: list[dict[str, Any]] = orjson.loads(done.stdout)
        return rows

    async def delete_file(self, bunker_id: str, path: str) -> None:
        """Delete a file, or a folder with all in it."""
        await self._file(bunker_id, _path(path, "path"), ["delete"])

    async def _file(self, bunker_id: str, path: str, verb: list[str], *, stdin: bytes = b"") -> Finished:
        done = await self._bunkers.run(
            self._tenant_id,
            bunker_id,
            [*verb, path],
            timeout_s=_FILE_TIMEOUT_S,
            stdin=stdin,
            max_output=MAX_FILE_BYTES,
        )
        if done.exit_code in {0, inside.IS_FOLDER}:
            return done
        reason = done.stderr.decode(errors="replace").strip() or done.stopped or f"exit code {done.exit_code}"
        if done.exit_code == inside.NOT_FOUND:
            raise GridError(404, "BUNKER_FILE_NOT_FOUND", reason)
        raise GridError(409, "BUNKER_FILE_REFUSED", reason)


def _path(path: str, field: str) -> str:
    """Return a path of the sandbox; a relative one begins at its workspace."""
    _demand_sendable([path], field)
    return posixpath.join(WORKSPACE, path)


def _demand_sendable(words: Sequence[str], field: str) -> None:
    try:
        sizes = [len(word.encode()) + 1 for word in words]
    except UnicodeEncodeError:
        raise invalid("the text is no Unicode", field) from None
    if any("\0" in word for word in words):
        raise invalid("a text for a command holds no NUL", field)
    if sum(sizes) > _MAX_WORDS_BYTES:
        raise invalid(f"more than {_MAX_WORDS_BYTES:,} bytes; write a file instead", field)
