"""ScaiGrid as an app to mount."""

from fastapi import FastAPI

from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.scaibunker import routes as scaibunker
from scaiflow_api.localgrid.scaicore import checkpoints, cores, events, executions, invoke, publish
from scaiflow_api.localgrid.scaigrid import auth, chat, errors, models
from scaiflow_api.localgrid.scaiqueue import claim_routes, message_routes, queue_routes, scope_routes

_SCAICORE = "/v1/modules/scaicore"
_SCAIBUNKER = "/v1/modules/scaibunker"
_SCAIQUEUE = "/v1/modules/scaiqueue"


def scaigrid_app(grid: Grid) -> FastAPI:
    """Return the app that serves `/scaigrid`."""
    app = FastAPI(title="Local ScaiGrid", openapi_url=None)
    app.state.grid = grid
    errors.install(app)
    for part in (auth, models, chat):
        app.include_router(part.router)
    for part in (events, cores, publish, invoke, executions, checkpoints):
        app.include_router(part.router, prefix=_SCAICORE)
    for queue_part in (message_routes, claim_routes, queue_routes, scope_routes):
        app.include_router(queue_part.router, prefix=_SCAIQUEUE)
    app.include_router(scaibunker.router, prefix=_SCAIBUNKER)
    return app
