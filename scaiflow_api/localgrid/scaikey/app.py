"""ScaiKey as an app to mount."""

from fastapi import FastAPI

from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.scaikey import (
    admin_applications,
    admin_groups,
    admin_users,
    admin_webhooks,
    authorize,
    discovery,
    errors,
    logout,
    token,
)


def scaikey_app(grid: Grid) -> FastAPI:
    """Return the app that serves `/scaikey`."""
    app = FastAPI(title="Local ScaiKey", openapi_url=None)
    app.state.grid = grid
    errors.install(app)
    authorize.install(app)
    for part in (
        discovery,
        authorize,
        token,
        logout,
        admin_users,
        admin_groups,
        admin_webhooks,
        admin_applications,
    ):
        app.include_router(part.router, prefix="/api/v1")
    return app
