"""What can be wrong with a webhook."""

from scaiflow_api.kit.errors import AppError


class WebhooksNotConfigured(AppError):
    status, error = 503, "webhooks_not_configured"
    template = "Webhooks of ScaiKey are not configured on the server."
    fix = "The operator sets SCAIFLOW_SCAIKEY_WEBHOOK_SECRET to the secret of the webhook in ScaiKey."


class InvalidWebhookSignature(AppError):
    """The webhook does not come from ScaiKey, or not now."""

    status, error = 400, "invalid_webhook_signature"
    template = "invalid webhook: {reason}"
    fix = "Sign '<timestamp>.<raw body>' with the webhook's secret; the clocks may differ by 300 s."


class MalformedWebhook(AppError):
    """It is signed by ScaiKey, but no event."""

    status, error = 400, "malformed_webhook"
    template = "The body is no event: {reason}."
