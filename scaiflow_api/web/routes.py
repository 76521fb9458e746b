"""What the routes of an application say of themselves, for the documentation and for the tests that guard them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from scaiflow_api.web.deps import Admission, authenticate

SOCKET: Final = "WEBSOCKET"
"""What stands in the place of a method for a route that takes sockets."""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """What one method of one path asks of its caller."""

    method: str
    path: str
    public: bool
    """True: no token is asked for."""
    permission: str | None
    role: str | None
    """The least of ScaiFlow's own roles."""
    acl: str | None
    """The level on the flow that the path names."""


def rules(app: FastAPI) -> list[RouteRule]:
    """Return the rule of every documented or undocumented route with dependencies, by path."""
    found = []
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            continue
        admission = admission_of(dependant)
        socket = admission is not None and "acl" in admission.__dict__
        public = authenticate not in _calls(dependant) and not socket
        permission = admission.__dict__["permission"] if admission else None
        role = admission.__dict__["role"] if admission else None
        level = (getattr(route, "openapi_extra", None) or {}).get("x-acl")
        if socket and admission is not None:
            level = admission.__dict__["acl"]
        methods = [SOCKET] if socket else sorted(route.methods or ())
        found += [RouteRule(method, route.path or "", public, permission, role, level) for method in methods]
    return sorted(found, key=lambda rule: (rule.path, rule.method))


def methods_of(app: FastAPI, path: str) -> list[str]:
    """Return the methods that an address takes, in the order of the alphabet."""
    found = (route for route in iter_route_contexts(app.routes) if route.methods)
    methods = {method for route in found if route.path_regex.match(path) for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def admission_of(dependant: Dependant) -> Admission | None:
    """Return what decides who may call a route: its `requires(…)`."""
    return next((call for call in _calls(dependant) if "permission" in call.__dict__), None)


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None and hasattr(dependant.call, "__dict__"):
        yield dependant.call
    for child in dependant.dependencies:
        yield from _calls(child)
