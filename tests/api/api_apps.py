"""Applications that tests share, one after the other.

FastAPI works a route out when it is first asked for, which took more than half of the time of a test.
"""

from collections import Counter, defaultdict
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scaiflow_api.app import API, create_app, equip
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings

_made: defaultdict[Any, list[FastAPI]] = defaultdict(list)
_taken: Counter[Any] = Counter()


undocumented: list[str] = []
"""Errors that were answered, and of which the OpenAPI document does not tell; no test may leave one."""


class AsDocumented:
    """Notes errors that the OpenAPI document does not tell of."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, body = 0, b""

        async def watch(message: Message) -> None:
            nonlocal status, body
            status = message.get("status", status)
            if status >= 400:
                body += message.get("body", b"")
            await send(message)

        await self._app(scope, receive, watch)
        told = (
            documented().get((scope["method"], scope["route"].path_format, status))
            if "route" in scope
            else None
        )
        if told is not None and "detail" in (found := orjson.loads(body)):
            code = found["detail"]["error"]
            # Of a sign-in that ScaiKey refuses the code is ScaiKey's own.
            if f"`{code}`" not in told and "`scaikey_refused`" not in told:
                undocumented.append(f"{scope['method']} {scope['route'].path_format}: {status} {code}")


@cache
def documented() -> dict[tuple[str, str, int], str]:
    """Return what is told of each error status, by method and path: nothing where it is none of theirs."""
    told = {}
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method, operation in methods.items():
            for status in {*range(400, 600)} - {405, 499}:
                found = operation["responses"].get(str(status), {"description": ""})
                told[method.upper(), path.removeprefix(API), status] = found["description"]
    return told


def new_app(settings: Settings, resources: Resources) -> FastAPI:
    """Return an application that keeps to its own document."""
    app = create_app(settings, resources)
    app.add_middleware(AsDocumented)
    return app


def shared_app(settings: Settings, resources: Resources) -> FastAPI:
    """Return an application that serves from these resources until the test ends, and to nobody else before.

    A test that changes more than what `equip` sets, such as routes, makes its own.
    """
    shape = (settings.api, settings.scaikey.auth_disabled)  # what create_app makes of settings
    apps, number = _made[shape], _taken[shape]
    _taken[shape] += 1
    if number == len(apps):
        apps.append(new_app(settings, resources))
    equip(apps[number], resources)
    return apps[number]


def give_back() -> None:
    """Let the next test have what this one took."""
    _taken.clear()
