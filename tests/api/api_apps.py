"""Applications that tests share, one after the other.

FastAPI works a route out when it is first asked for, which took more than half of the time of a test.
"""

from typing import Any

from fastapi import FastAPI

from scaiflow_api.app import create_app, equip
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings

_APPS: dict[Any, FastAPI] = {}


def shared_app(settings: Settings, resources: Resources, *, place: str = "") -> FastAPI:
    """Return an application that serves from these resources until it is asked for again.

    Of two that a test needs at once each has its own `place`. A test that adds routes makes its own.
    """
    shape = (place, settings.api, settings.scaikey.auth_disabled)  # what create_app makes of settings
    app = _APPS.get(shape) or _APPS.setdefault(shape, create_app(settings, resources))
    app.dependency_overrides.clear()
    equip(app, resources)
    return app
