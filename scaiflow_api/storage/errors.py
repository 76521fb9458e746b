"""What can go wrong in an object store. Errors of the system and of vendors stay inside the package."""

from typing import Final

import structlog

from scaiflow_api.kit.errors import AppError

_log: Final = structlog.stdlib.get_logger(__name__)


class BlobExists(Exception):
    """A conditional put found the key taken."""


class BlobNotFound(Exception):
    """There is no object under the key."""


class StoreNotUsable(Exception):
    """The store cannot be opened as it is set up. The sentence is for the operator, not for the wire."""


class StoreUnavailable(AppError):
    status = 503
    error = "store_unavailable"
    template = "The store of flow contents cannot be used at the moment."
    fix = "Try again in a moment. If it lasts, the operator finds the cause in the log."


def unavailable(action: str, cause: Exception) -> StoreUnavailable:
    """Log what the store said and return the error that says nothing of it."""
    _log.error("store_unavailable", action=action, cause=repr(cause))
    return StoreUnavailable()
