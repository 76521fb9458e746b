"""Errors of the database, as the API reports them."""

from scaiflow_api.kit.errors import AppError


class DatabaseUnavailable(AppError):
    """The database cannot be reached, or is too busy for this request."""

    status, error = 503, "database_unavailable"
    template = "The database does not answer."
    fix = "Try again in a few seconds; if it lasts, the operator finds the cause in the log under this trace id."
    come_again_s = 5
