"""The local grid, made from the settings."""

from pathlib import Path

from fastapi import FastAPI

from scaiflow_api.cli.environment import GRID_KEY
from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.localgrid import GridConfig, create_grid
from scaiflow_api.settings import Settings


def grid_application(settings: Settings) -> FastAPI:
    """Build the local grid. Raises CommandFailed with the reason why it must not start."""
    api, grid, scaikey = settings.api, settings.localgrid, settings.scaikey
    if not scaikey.client_id or not scaikey.client_secret:
        raise CommandFailed(
            "the local grid needs SCAIFLOW_SCAIKEY_CLIENT_ID and SCAIFLOW_SCAIKEY_CLIENT_SECRET"
        )
    Path(grid.database).parent.mkdir(parents=True, exist_ok=True)
    try:
        config = GridConfig(
            database=Path(grid.database),
            base_url=f"http://{grid.host}:{grid.port}",
            api_client_id=scaikey.client_id,
            api_client_secret=scaikey.client_secret.get_secret_value(),
            redirect_uris=tuple(dict.fromkeys((scaikey.redirect_uri, "http://localhost:5173/auth/callback"))),
            environment=settings.api.env.value,
            api_key=GRID_KEY,
            model_url=grid.model_url,
            model_key=grid.model_key.get_secret_value() if grid.model_key else None,
            webhook_url=(
                f"http://{api.host}:{api.port}/api/v1/webhooks/scaikey" if scaikey.webhook_secret else None
            ),
            webhook_secret=scaikey.webhook_secret.get_secret_value() if scaikey.webhook_secret else None,
            faults=grid.faults,
        )
        return create_grid(config)
    except (ValueError, OSError) as error:
        raise CommandFailed(str(error)) from None
