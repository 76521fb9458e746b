"""`POST /v1/webhooks/scaikey`: public, because the signature over the body is the credential."""

from typing import Annotated

from fastapi import APIRouter, Header, Request

from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.domains.webhooks.errors import (
    InvalidWebhookSignature,
    MalformedWebhook,
    WebhooksNotConfigured,
)
from scaiflow_api.domains.webhooks.service import Webhooks
from scaiflow_api.web.deps import ResourcesDep
from scaiflow_api.web.errors import BodyTooLarge, documented
from scaiflow_api.web.schemas import AnswerModel

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "An event in the envelope `{event_id, event_type, timestamp, data, …}` or"
        " `{id, type, created_at, data}`.",
    }
}


class WebhookAnswer(AnswerModel):
    """What became of the event."""

    handled: bool
    """False: the type is not known, or the event does not say whom it is about."""


@router.post(
    "/scaikey",
    response_model=WebhookAnswer,
    responses=documented(
        InvalidWebhookSignature, MalformedWebhook, BodyTooLarge, WebhooksNotConfigured, DatabaseUnavailable
    ),
    openapi_extra=_BODY,
)
async def receive_scaikey_webhook(
    request: Request,
    resources: ResourcesDep,
    x_scaikey_signature: Annotated[str | None, Header(description="`t=<timestamp>,v1=<hex sha256>`")] = None,
    x_scaikey_timestamp: Annotated[
        str | None, Header(description="the signed timestamp, unix seconds")
    ] = None,
) -> WebhookAnswer:
    """Receive an event from ScaiKey. Delivering one again changes nothing."""
    body = await _read(request, resources.settings.scaikey.webhook_max_bytes)
    handled = await Webhooks(resources).receive(
        body, signature=x_scaikey_signature, timestamp=x_scaikey_timestamp
    )
    return WebhookAnswer(handled=handled)


async def _read(request: Request, limit: int) -> bytes:
    """Return the body's bytes as they came; anybody can send them, so few are taken."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise BodyTooLarge(limit_bytes=limit)
    return bytes(content)
