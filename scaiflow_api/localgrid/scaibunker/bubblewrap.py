"""How a program is shut in: what it sees, and what it is kept from.

The program gets new namespaces of everything, the network included, no capabilities, and a file system that holds
this machine's programs, read-only, and folders of its own. It cannot make namespaces in turn.

Bubblewrap makes the places for what it mounts before the program is shut in. So these lie in a root that is made
for each command, never in a folder that an earlier command could write to: it could have left a link there.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

WORKSPACE = "/workspace"
_TOOLS = "/run/tools"
_USER = "1000"
_SHM_BYTES = 64 * 1024 * 1024
_TOP_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_TAKEN = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "proc", "dev", "run", "sys"}
_FROM_ETC = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/localtime", "/etc/mime.types", "/etc/ssl/certs"),
)
"""What programs need to start, and nothing that tells about this machine."""
_ENVIRONMENT = {
    "HOME": WORKSPACE,
    "LANG": "C.UTF-8",
    "PATH": f"{_TOOLS}:/usr/local/bin:/usr/bin:/bin",
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
}


class Unavailable(Exception):
    """There are no sandboxes on this machine, and why."""


def find() -> str | None:
    """Return where bubblewrap is installed."""
    return shutil.which("bwrap")


def options(folder: Path, env: Mapping[str, str]) -> list[str]:
    """Return how a program is shut in with the folders that are inside of `folder`, each at the root by its name.

    They are for `--args`, not for the command line, which the program could read: they name folders and variables.
    Raises Unavailable.
    """
    return [
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *(
            "--unshare-cgroup-try",
            "--disable-userns",
            "--cap-drop",
            "ALL",
            "--new-session",
            "--die-with-parent",
        ),
        *("--uid", _USER, "--gid", _USER, "--hostname", "bunker", "--clearenv"),
        *_programs(),
        *_bound_python(),
        *(word for path in _FROM_ETC for word in ("--ro-bind-try", path, path)),
        *(word for name in ("python", "python3") for word in ("--symlink", python(), f"{_TOOLS}/{name}")),
        *("--proc", "/proc", "--dev", "/dev", "--size", str(_SHM_BYTES), "--tmpfs", "/dev/shm"),  # noqa: S108
        *(word for own in sorted(folder.iterdir()) for word in ("--bind", str(own), f"/{own.name}")),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", WORKSPACE),
        *(word for name, value in {**_ENVIRONMENT, **env}.items() for word in ("--setenv", name, value)),
    ]


def may_be_own(name: str) -> bool:
    """Return whether a sandbox may have a folder of its own by this name at its root."""
    return name not in _TAKEN and name != Path(sys.base_prefix).parts[1]


def python() -> str:
    """Return where the Python of this process is, inside as outside."""
    own = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return str(own if own.exists() else Path(sys.executable).resolve())


def _programs() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for path in map(Path, _TOP_FOLDERS):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _bound_python() -> list[str]:
    prefix = sys.base_prefix
    if Path.home().is_relative_to(prefix):
        raise Unavailable(f"this Python is installed in {prefix}, which holds more than Python")
    return [] if Path(prefix).is_relative_to("/usr") else ["--ro-bind", prefix, prefix]
