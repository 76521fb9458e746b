"""Applications that tests share, one after the other.

FastAPI works a route out when it is first asked for, which took more than half of the time of a test.
"""

from collections import Counter, defaultdict
from typing import Any

from fastapi import FastAPI

from scaiflow_api.app import create_app, equip
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings

_made: defaultdict[Any, list[FastAPI]] = defaultdict(list)
_taken: Counter[Any] = Counter()


def shared_app(settings: Settings, resources: Resources) -> FastAPI:
    """Return an application that serves from these resources until the test ends, and to nobody else before.

    A test that changes more than what `equip` sets, such as routes, makes its own.
    """
    shape = (settings.api, settings.scaikey.auth_disabled)  # what create_app makes of settings
    apps, number = _made[shape], _taken[shape]
    _taken[shape] += 1
    if number == len(apps):
        apps.append(create_app(settings, resources))
    equip(apps[number], resources)
    return apps[number]


def give_back() -> None:
    """Let the next test have what this one took."""
    _taken.clear()
