"""Errors of presence, announcements and rate limits. Errors of Redis and of the system stay inside the package."""

from scaiflow_api.kit.errors import AppError


class LiveNotUsable(Exception):
    """Redis cannot be used as it is set up. The sentence is for the operator, not for the wire."""


class PresenceUnavailable(AppError):
    """Redis does not answer. Flows can be read and saved without it."""

    status, error = 503, "presence_unavailable"
    template = "Who else has the flow open is not known at the moment."
    fix = "Try again in a few seconds; all else works. If it lasts, the operator finds the cause in the log."
    come_again_s = 5
