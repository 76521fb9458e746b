"""Settings for the commands, with a sentence instead of a traceback when they are wrong."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.kit.env_files import env_files

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from scaiflow_api.settings import Settings

DATA_FOLDER = ".scaiflow"
CLIENT_ID = "scaiflow-local"
CLIENT_SECRET = "known-to-everyone-local-grid-only"  # noqa: S105 - good for nothing but the local grid
GRID_KEY = "sgk_known-to-everyone-local-grid-only"
WEBHOOK_SECRET = "known-to-everyone-local-webhooks-only"  # noqa: S105 - likewise

_SERVERS = {
    "SCAIFLOW_API_HOST": "127.0.0.1",
    "SCAIFLOW_API_PORT": "8001",
    "SCAIFLOW_GRID_HOST": "127.0.0.1",
    "SCAIFLOW_GRID_PORT": "8002",
}


def load_settings() -> "Settings":
    """Read the settings. Raises CommandFailed naming each bad variable."""
    from pydantic import ValidationError

    from scaiflow_api.settings import Settings

    try:
        with _files_explained():
            return Settings.load()
    except ValidationError as error:
        problems = "; ".join(_problem(found) for found in error.errors())
        raise CommandFailed(f"the settings are wrong: {problems}") from None


@contextmanager
def _files_explained() -> Iterator[None]:
    """Raise CommandFailed where a file of settings is there and cannot be read."""
    try:
        yield
    except UnicodeDecodeError:
        raise CommandFailed(
            f"a file of settings is not UTF-8; it is one of {', '.join(env_files())}"
        ) from None
    except OSError as error:
        raise CommandFailed(f"the settings in {error.filename} cannot be read: {error.strerror}") from None


def _problem(found: "ErrorDetails") -> str:
    """Return what is wrong with a variable, which is named once: what we found ourselves may name it already."""
    variable = ".".join(str(part) for part in found["loc"])
    sentence = str(found.get("ctx", {}).get("error") or found["msg"])
    return sentence if sentence.startswith(variable) else f"{variable}: {sentence}"


def embed() -> None:
    """Complete the environment so that everything runs on this machine; whatever is set stays as it is.

    Raises CommandFailed where a file of settings cannot be read.
    """
    from dotenv import dotenv_values

    chosen = {"SCAIFLOW_DATA_FOLDER": DATA_FOLDER, **_SERVERS}
    with _files_explained():
        for file in env_files():
            chosen |= {name: value for name, value in dotenv_values(file).items() if value}
    chosen |= {name: value for name, value in os.environ.items() if value}
    data = Path(chosen["SCAIFLOW_DATA_FOLDER"]).absolute()
    api = f"http://{chosen['SCAIFLOW_API_HOST']}:{chosen['SCAIFLOW_API_PORT']}"
    grid = f"http://{chosen['SCAIFLOW_GRID_HOST']}:{chosen['SCAIFLOW_GRID_PORT']}"
    embedded = {
        "SCAIFLOW_ENV": "development",
        "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{data / 'scaiflow.db'}",
        "SCAIFLOW_STORE_URL": f"file:{data / 'blobs'}",
        "SCAIFLOW_GRID_DB": str(data / "grid.db"),
        "SCAIKEY_BASE_URL": f"{grid}/scaikey",
        "SCAIFLOW_SCAIKEY_CLIENT_ID": CLIENT_ID,
        "SCAIFLOW_SCAIKEY_CLIENT_SECRET": CLIENT_SECRET,
        "SCAIFLOW_SCAIKEY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "SCAIFLOW_SCAIKEY_REDIRECT_URI": f"{api}/auth/callback",
        "SCAIGRID_BASE_URL": f"{grid}/scaigrid",
        "SCAIFLOW_PLATFORM_TENANT": "tnt_platform",
        "SCAIVAULT_BASE_URL": f"{grid}/scaivault",
        "SCAIFLOW_TENANT_GRID_HTTP": "true",
        "SCAIFLOW_BOOTSTRAP_ADMINS": "tnt_acme/usr_alice=tenant_admin,tnt_platform/usr_root=super_admin",
    }
    os.environ.update({**embedded, **chosen})
