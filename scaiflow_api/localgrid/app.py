"""The local grid as one ASGI app: `/scaikey`, `/scaigrid`, `/scaivault`, and the switch for faults."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI

from scaiflow_api.kit.clock import Clock, SystemClock
from scaiflow_api.localgrid.asgi import BodyLimit, HostGuard, RequestId
from scaiflow_api.localgrid.config import GridConfig
from scaiflow_api.localgrid.faults import FaultMiddleware, Faults, switch
from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.models.offline import OfflineModel
from scaiflow_api.localgrid.models.openai import OpenAIModel
from scaiflow_api.localgrid.runtime.model_calls import ModelProvider
from scaiflow_api.localgrid.scaibunker import schema as scaibunker
from scaiflow_api.localgrid.scaibunker.bunkers import Bunkers
from scaiflow_api.localgrid.scaicore.desk import Desk
from scaiflow_api.localgrid.scaicore.execution_table import Executions
from scaiflow_api.localgrid.scaicore.plugins import GridPlugins
from scaiflow_api.localgrid.scaicore.runs import Runs
from scaiflow_api.localgrid.scaigrid.app import scaigrid_app
from scaiflow_api.localgrid.scaigrid.catalogue import is_served
from scaiflow_api.localgrid.scaigrid.rate_limit import RateLimit, RateLimitMiddleware
from scaiflow_api.localgrid.scaikey import applications
from scaiflow_api.localgrid.scaikey.app import scaikey_app
from scaiflow_api.localgrid.scaikey.directory import Directory
from scaiflow_api.localgrid.scaikey.keys import SigningKeys
from scaiflow_api.localgrid.scaikey.people import clients
from scaiflow_api.localgrid.scaikey.webhooks import Deliveries
from scaiflow_api.localgrid.scaiqueue import schema as scaiqueue
from scaiflow_api.localgrid.scaiqueue.post import Post
from scaiflow_api.localgrid.scaivault.app import scaivault_app
from scaiflow_api.localgrid.store import Store


def create_grid(
    config: GridConfig,
    *,
    clock: Clock | None = None,
    models: ModelProvider | None = None,
    hooks: httpx.AsyncClient | None = None,
) -> FastAPI:
    """Return a local grid. Its file is opened in the app's lifespan.

    Tests bring a clock, a model, or a client that delivers webhooks, of their own.
    """
    clock, hooks = clock or SystemClock(), hooks or _plain_client()
    asked = None if config.model_url is None else httpx.AsyncClient(timeout=config.model_timeout_s)
    grid = _assembled(config, clock, models or _provider(config, asked), hooks)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if asked is not None:
                stack.push_async_callback(asked.aclose)
            await stack.enter_async_context(_open(grid, hooks))
            yield

    app = FastAPI(title="ScaiFlow local grid", openapi_url=None, lifespan=lifespan)
    app.state.grid = grid
    faults, limit = Faults(), RateLimit(clock, config.rate_limit_per_minute)
    if config.faults:
        app.include_router(switch(faults, limit))
    app.mount("/scaikey", scaikey_app(grid))
    app.mount("/scaigrid", scaigrid_app(grid))
    app.mount("/scaivault", scaivault_app(grid))

    @app.get("/")
    async def overview() -> dict[str, str]:
        """Say what is here."""
        return {
            "name": "ScaiFlow local grid",
            "scaikey": config.scaikey_url,
            "scaigrid": f"{config.base_url}/scaigrid",
            "scaivault": f"{config.base_url}/scaivault",
            "models": "offline" if config.model_url is None else config.model_url,
        }

    # Added last runs first: a foreign host learns nothing, and faults befall what clients call.
    app.add_middleware(RateLimitMiddleware, limit=limit, prefix="/scaigrid/")
    app.add_middleware(FaultMiddleware, faults=faults)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestId)
    app.add_middleware(HostGuard)
    return app


def _assembled(config: GridConfig, clock: Clock, models: ModelProvider, hooks: httpx.AsyncClient) -> Grid:
    """Put the parts of a grid together. Nothing is opened yet."""
    store = Store(config.database, scaiqueue.TABLES, scaibunker.TABLES, applications.TABLES)
    post = Post(store, clock)
    bunkers = Bunkers(store, clock, config.database.with_name(f"{config.database.name}.bunkers"))
    runs = Runs(store, clock, config, models, is_served, GridPlugins(post, bunkers))
    return Grid(
        config=config,
        clock=clock,
        store=store,
        clients=clients(config),
        directory=Directory(store, clock),
        deliveries=Deliveries(store, clock, hooks),
        keys=SigningKeys(store, clock),
        runs=runs,
        desk=Desk(store, clock, runs),
        post=post,
        bunkers=bunkers,
    )


@asynccontextmanager
async def _open(grid: Grid, hooks: httpx.AsyncClient) -> AsyncIterator[None]:
    """Open the file, go on where the last process stopped, and work in the background while the block runs."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(grid.store.close)
        await grid.store.open()
        for client_id, registered in (await applications.registered(grid.store)).items():
            grid.clients.setdefault(client_id, registered)
        await grid.directory.seed()
        await grid.deliveries.configure(grid.config.webhook_url, grid.config.webhook_secret)
        await grid.keys.load()
        await grid.post.forget_old()
        await grid.bunkers.recover(alive={left.id for left in await Executions(grid.store).unfinished()})
        await grid.runs.recover()
        stack.push_async_callback(grid.runs.close)
        stack.push_async_callback(hooks.aclose)
        for work in (grid.deliveries.run(), grid.desk.run()):
            stack.push_async_callback(_end, asyncio.create_task(work))
        yield


def _plain_client() -> httpx.AsyncClient:
    """Return a client for addresses of this machine without TLS: it trusts no authority, which loads fast."""
    return httpx.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _provider(config: GridConfig, client: httpx.AsyncClient | None) -> ModelProvider:
    if client is None or config.model_url is None:
        return OfflineModel()
    return OpenAIModel(client, config.model_url, config.model_key)
