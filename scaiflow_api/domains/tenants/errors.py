"""What can go wrong with a tenant's key."""

from scaiflow_api.kit.errors import AppError


class SecretsNotConfigured(AppError):
    """There is no place to keep keys."""

    status, error = 503, "secrets_not_configured"
    template = "This server has no place to keep keys."
    fix = "The operator sets SCAIVAULT_BASE_URL, or SCAIFLOW_SECRETS_KEY to keep them in the database."


class BaseUrlNotAllowed(AppError):
    """The address of a tenant's own ScaiGrid is not one that may be called from here."""

    status, error = 422, "base_url_not_allowed"
    template = "The base URL {reason}."
    fix = "Name a public https address without user, query and fragment, or leave 'base_url' out."


class ScaiGridKeyRefused(AppError):
    """ScaiGrid did not accept the key. Nothing was changed."""

    status, error = 422, "scaigrid_key_refused"
    template = "ScaiGrid does not accept this key."
    fix = "Send a key that is valid at that ScaiGrid; '?verify=false' keeps one without asking."
