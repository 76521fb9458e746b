"""ScaiGrid as an app to mount."""

from fastapi import FastAPI

from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.scaigrid import auth, cores, errors, events, invoke, models, publish

_SCAICORE = "/v1/modules/scaicore"


def scaigrid_app(grid: Grid) -> FastAPI:
    """Return the app that serves `/scaigrid`."""
    app = FastAPI(title="Local ScaiGrid", openapi_url=None)
    app.state.grid = grid
    errors.install(app)
    for part in (auth, models):
        app.include_router(part.router)
    for part in (events, cores, publish, invoke):
        app.include_router(part.router, prefix=_SCAICORE)
    return app
