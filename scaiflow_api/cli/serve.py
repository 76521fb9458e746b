"""Starting one server, and what has to be right before it starts."""

import json
import sys
from typing import TYPE_CHECKING

import uvicorn

from scaiflow_api.cli.environment import load_settings
from scaiflow_api.cli.failure import CommandFailed, explained
from scaiflow_api.cli.ports import require_free_port
from scaiflow_api.cli.sockets import HttpConnections, Sockets
from scaiflow_api.kit.garbage import keep_what_is_loaded, look_rarely
from scaiflow_api.kit.logging import configure_logging

if TYPE_CHECKING:
    from fastapi import FastAPI

    from scaiflow_api.settings import Settings

_GRACE_S = 10
_KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep an idle connection: whoever closes first must not be the server, which would
cut off a request that is on its way."""
_SOCKET_HEADROOM_BYTES = 1024 * 1024
"""The server's own limit is above ours, whose close code says what was wrong."""


def api_application() -> "FastAPI":
    """Build the API from the environment; uvicorn calls this again after each change when reload is on."""
    from scaiflow_api.app import create_app

    settings = load_settings()
    configure_logging(settings.api.log_level)
    app = create_app(settings)
    keep_what_is_loaded()
    return app


def serve_api() -> None:
    """Serve until a signal comes."""
    settings = load_settings()
    configure_logging(settings.api.log_level)
    require_free_port(settings.api.host, settings.api.port, "SCAIFLOW_API_PORT")
    _require_store(settings)
    _require_live(settings)
    _require_schema(settings)
    uvicorn.run(
        "scaiflow_api.cli.serve:api_application",
        factory=True,
        host=settings.api.host,
        port=settings.api.port,
        reload=settings.api.reload,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # the application believes the proxies of the settings, and nobody else
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
        http=HttpConnections,
        ws=Sockets,
        ws_max_size=settings.sync.max_message_bytes + _SOCKET_HEADROOM_BYTES,
        ws_per_message_deflate=False,  # it costs each socket more memory than all else, and packs on the event loop
    )


def serve_grid() -> None:
    """Serve the local grid until a signal comes."""
    from scaiflow_api.cli.environment import embed
    from scaiflow_api.cli.grid import grid_application

    embed()
    settings = load_settings()
    configure_logging(settings.api.log_level)
    require_free_port(settings.localgrid.host, settings.localgrid.port, "SCAIFLOW_GRID_PORT")
    app = grid_application(settings)
    keep_what_is_loaded()
    uvicorn.run(
        app,
        host=settings.localgrid.host,
        port=settings.localgrid.port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def migrate_database(revision: str, *, down: bool) -> None:
    """Change the schema; the address of the database stays out of every message."""
    settings = load_settings()
    if down:
        from scaiflow_api.cli.database import database_in_use, require_database
        from scaiflow_api.db.schema import downgrade

        url = settings.database.url.get_secret_value()
        with database_in_use():
            require_database(url)
            downgrade(url, revision)
    else:
        _upgrade(settings, revision)
    print(f"the schema is at {revision}", file=sys.stderr)


def openapi_document() -> str:
    """Return the OpenAPI document as JSON."""
    from scaiflow_api.app import create_app

    return json.dumps(create_app(load_settings()).openapi(), indent=2, sort_keys=True)


def _upgrade(settings: "Settings", revision: str) -> None:
    from scaiflow_api.cli.database import database_in_use
    from scaiflow_api.db.schema import HEAD, is_current, upgrade

    url = settings.database.url.get_secret_value()
    with database_in_use():
        if revision != HEAD or not is_current(url):
            upgrade(url, revision)


def _require_schema(settings: "Settings") -> None:
    """Bring the schema up to date, or where that is not ours to do see that it is."""
    from scaiflow_api.cli.database import require_schema

    if settings.database.skip_create_all:
        require_schema(settings.database.url.get_secret_value())
    else:
        _upgrade(settings, "head")


def _require_store(settings: "Settings") -> None:
    import asyncio

    from scaiflow_api.kit.errors import AppError
    from scaiflow_api.resources import open_store
    from scaiflow_api.storage import StoreNotUsable

    async def check() -> None:
        blobs = open_store(settings.store)
        try:
            await blobs.check()
        finally:
            await blobs.close()

    try:
        asyncio.run(check())
    except StoreNotUsable as error:
        raise CommandFailed(str(error)) from None
    except AppError as error:
        raise CommandFailed(f"the object store of SCAIFLOW_STORE_URL does not answer: {error}") from None


def _require_live(settings: "Settings") -> None:
    """Look at the address only: the API serves without Redis, and `/readyz` says that it is away."""
    from scaiflow_api.live import LiveNotUsable
    from scaiflow_api.resources import open_live

    try:
        open_live(settings.live)
    except LiveNotUsable as error:
        raise CommandFailed(str(error)) from None


if __name__ == "__main__":
    # `scaiflow dev` starts its servers this way: they need nothing of the command line.
    look_rarely()
    explained({"api": serve_api, "grid": serve_grid}[sys.argv[1]])
