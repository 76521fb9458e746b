"""Receiving a webhook: its id and everything that it does are committed together, or not at all."""

from datetime import timedelta

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.models.directory import WebhookEvent
from scaiflow_api.domains.directory.roles import GroupRoles
from scaiflow_api.domains.webhooks.effects import HANDLED, Effects
from scaiflow_api.domains.webhooks.errors import WebhooksNotConfigured
from scaiflow_api.domains.webhooks.events import Event, read_event
from scaiflow_api.domains.webhooks.signature import verify
from scaiflow_api.resources import Resources

log = structlog.get_logger(__name__)

_REMEMBERED = timedelta(days=30)
"""Longer than anybody would try to deliver an event."""
_ATTEMPTS = 5


class Webhooks:
    """Receives what ScaiKey tells."""

    def __init__(self, resources: Resources) -> None:
        self._db = resources.db
        self._clock = resources.clock
        self._secret = resources.settings.scaikey.webhook_secret
        self._sync_wanted = resources.sync_wanted
        self._roles = GroupRoles(resources.db, resources.settings.directory)

    async def receive(self, body: bytes, *, signature: str | None, timestamp: str | None) -> bool:
        """Do what the event asks for; False when that is nothing. One that came before changes nothing.

        Raises WebhooksNotConfigured, InvalidWebhookSignature, MalformedWebhook.
        """
        secret = self._secret.get_secret_value() if self._secret is not None else ""
        if not secret:
            raise WebhooksNotConfigured
        now = self._clock.seconds()
        signed_at = verify(body, signature=signature, timestamp=timestamp, secret=secret, now=now)
        event = read_event(body, signed_at=signed_at)
        if event.type not in HANDLED:
            return False
        await self._roles.ensure_turn()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._apply(event)
            except IntegrityError:
                # A first request or a sync added the same row at this moment; the next look finds it.
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _apply(self, event: Event) -> bool:
        now = self._clock.now()
        async with self._db.write() as session:
            await self._roles.take_turn(session)
            known = await session.get(WebhookEvent, event.id)
            if known is not None:
                return known.handled
            effects = Effects(session, now)
            handled = await effects.apply(event)
            session.add(WebhookEvent(id=event.id, type=event.type, handled=handled, received_at=now))
            await session.execute(delete(WebhookEvent).where(WebhookEvent.received_at < now - _REMEMBERED))
            await session.flush()
            changed = await self._roles.reconcile(session, now)
        await self._roles.settle(changed, now)
        if effects.sync_wanted:
            self._sync_wanted.set()
        log.info("webhook received", type=event.type, event_id=event.id, handled=handled)
        return handled
