"""The ASGI application: middleware, error handlers and routers, in order. No logic."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from scaiflow_api import __version__
from scaiflow_api.domains.acls.router import router as acls
from scaiflow_api.domains.admin.router import router as admin
from scaiflow_api.domains.audit.router import router as audit
from scaiflow_api.domains.catalog.router import router as catalog
from scaiflow_api.domains.deploy.dev_router import router as dev_deploy
from scaiflow_api.domains.deploy.router import router as deploy
from scaiflow_api.domains.directory.loop import syncing
from scaiflow_api.domains.directory.router import router as directory
from scaiflow_api.domains.flows.file_router import router as flow_files
from scaiflow_api.domains.flows.router import router as flows
from scaiflow_api.domains.health.router import router as health
from scaiflow_api.domains.home.router import documentation_assets
from scaiflow_api.domains.home.router import router as home
from scaiflow_api.domains.lookups.router import router as lookups
from scaiflow_api.domains.presence.router import router as presence
from scaiflow_api.domains.preview.router import router as flows_preview
from scaiflow_api.domains.runs.checkpoint_router import router as checkpoints
from scaiflow_api.domains.runs.router import router as runs
from scaiflow_api.domains.runs.stream_router import router as event_stream
from scaiflow_api.domains.schema.router import router as schema
from scaiflow_api.domains.session.router import public as sign_in
from scaiflow_api.domains.session.router import router as session
from scaiflow_api.domains.sync.draft.reading import DraftReader
from scaiflow_api.domains.sync.draft.router import router as drafts
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.domains.sync.router import router as sync
from scaiflow_api.domains.tenants.router import router as tenants
from scaiflow_api.domains.testruns.router import router as testruns
from scaiflow_api.domains.versions.router import router as versions
from scaiflow_api.domains.webhooks.router import router as webhooks
from scaiflow_api.kit.shutdown import set_on_signal
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Settings
from scaiflow_api.upstreams.answers import HANDED_ON
from scaiflow_api.web import errors
from scaiflow_api.web.authentication import Authenticator
from scaiflow_api.web.denials import Denials
from scaiflow_api.web.deps import authenticate
from scaiflow_api.web.middleware import BugGuard, HeadAsGet, LoopbackOnly, RequestContext, RequestGuard
from scaiflow_api.web.openapi import OF_ALL, DescribedApi

API = "/api/v1"

_DESCRIPTION = """Keeps, compiles, deploys and tests flows of AI agents.

Every error has one shape: `{"detail": {error, message, fix?, …, trace_id}}`; `error` is a stable code."""


def create_app(settings: Settings, resources: Resources | None = None) -> FastAPI:
    """Build the application. It opens its resources when it starts, unless they are given."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if resources is None:
                opened = await stack.enter_async_context(open_resources(settings))
                equip(app, opened)
                stack.enter_context(set_on_signal(opened.ending))
                await stack.enter_async_context(syncing(opened))
            stack.push_async_callback(app.state.rooms.close)
            yield

    app = DescribedApi(
        title="ScaiFlow API",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "exclude": _untraced},
        responses=OF_ALL,
        generate_unique_id_function=lambda route: route.name,
    )
    if resources is not None:
        equip(app, resources)
    errors.install(app)
    _wrap(app, settings)
    _mount(app)
    return app


def _wrap(app: FastAPI, settings: Settings) -> None:
    """Put the middleware around the application. The last one added is the outermost."""
    app.add_middleware(HeadAsGet)
    app.add_middleware(BugGuard)
    app.add_middleware(RequestGuard, max_body_bytes=settings.api.max_body_bytes)
    if settings.scaikey.auth_disabled:
        app.add_middleware(LoopbackOnly, origins=settings.api.cors_origins)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.api.cors_origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            "Last-Event-ID",
            "Idempotency-Key",
            "traceparent",
            "tracestate",
            "X-Request-Id",
        ],
        expose_headers=[
            "Link",
            "Content-Disposition",
            "ETag",
            "Idempotency-Replayed",
            "X-Request-Id",
            *HANDED_ON,
        ],
        max_age=600,
    )
    app.add_middleware(RequestContext)
    if settings.api.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.api.trusted_proxies))


def _mount(app: FastAPI) -> None:
    """Add the routes. The busiest come first: the application looks through them in this order.

    Fixed paths come before those with parameters.
    """
    for router in (
        flows_preview,
        flows,
        runs,
        lookups,
        flow_files,
        versions,
        drafts,
        presence,
        acls,
        deploy,
        testruns,
        event_stream,
        checkpoints,
        catalog,
        session,
        admin,
        audit,
        directory,
        tenants,
        schema,
    ):
        app.include_router(router, prefix=API, dependencies=[Depends(authenticate)])
    # It accepts a socket before it asks who opens it: only then can it say why not.
    app.include_router(sync, prefix=API)
    # The closed list of what needs no token; a test compares.
    app.include_router(sign_in, prefix=API)
    app.include_router(webhooks, prefix=API)
    app.include_router(dev_deploy, prefix=API)
    app.include_router(health)
    app.include_router(home)
    app.mount("/docs/assets", documentation_assets)


def _untraced(scope: MutableMapping[str, Any]) -> bool:
    """Tell what leaves no span: probes, and addresses that may carry a token in their query."""
    path = scope["path"]
    return path in {"/healthz", "/readyz", "/metrics"} or path.rstrip("/").endswith("/sync")


def equip(app: FastAPI, resources: Resources) -> None:
    """Give an application what it serves from, in place of what it had."""
    app.state.resources = resources
    app.state.authenticator = Authenticator(resources)
    app.state.denials = Denials(resources)
    rooms = Rooms(resources)
    app.state.rooms = rooms
    app.state.drafts = DraftReader(rooms.follower, rooms.conversions, resources.limits)
    app.state.after_save = rooms.follower.follow
