"""ScaiVault as an app to mount."""

from fastapi import FastAPI

from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.scaivault import errors, health, secrets


def scaivault_app(grid: Grid) -> FastAPI:
    """Return the app that serves `/scaivault`."""
    app = FastAPI(title="Local ScaiVault", openapi_url=None)
    app.state.grid = grid
    errors.install(app)
    for part in (health, secrets):
        app.include_router(part.router, prefix="/v1")
    return app
