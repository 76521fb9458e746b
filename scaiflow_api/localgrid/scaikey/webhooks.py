"""ScaiKey's webhooks: what happened is written down with the change itself, and delivered until somebody took it."""

import asyncio
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
import structlog

from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.scaikey.directory import moment
from scaiflow_api.localgrid.store import Store

log = structlog.get_logger(__name__)

EVENTS = (
    *(f"user.{what}" for what in ("created", "updated", "deleted", "suspended", "activated")),
    *(f"group.{what}" for what in ("created", "updated", "deleted", "member_added", "member_removed")),
)
RETRY_AFTER_S = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
"""How long to wait after each failed attempt; after the last one an event is given up."""
CONFIGURED = "wh_configured"
_TIMEOUT_S = 10.0
_AT_ONCE = 50
_LOOK_AGAIN_S = 1.0


def announce(connection: sqlite3.Connection, clock: Clock, event_type: str, event: Mapping[str, Any]) -> None:
    """Write an event down for every webhook that wants it, in the transaction of the change.

    `event` has `resource`, `data` and `tenant_id`.
    """
    event_id = new_id("evt")
    envelope = {
        "event_id": event_id,
        "event_type": event_type,
        "timestamp": moment(clock),
        "actor": {"id": None, "type": "api"},
        **event,
    }
    body = json.dumps(envelope, separators=(",", ":"), sort_keys=True)
    for row in connection.execute("SELECT id, events FROM webhooks").fetchall():
        if event_type in json.loads(row["events"]):
            connection.execute(
                "INSERT INTO deliveries (webhook_id, event_id, event_type, body, due_at) VALUES (?, ?, ?, ?, ?)",
                (row["id"], event_id, event_type, body, clock.now().timestamp()),
            )


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return `X-ScaiKey-Signature`: the raw body, signed together with the time of sending."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Deliveries:
    """Sends what is due, oldest first; what fails comes again later, so events can arrive out of order."""

    def __init__(self, store: Store, clock: Clock, http: httpx.AsyncClient) -> None:
        self._store = store
        self._clock = clock
        self._http = http
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    async def configure(self, url: str | None, secret: str | None) -> None:
        """Register the webhook of the configuration in place of the one of an earlier start."""
        values = (CONFIGURED, url, secret, json.dumps(EVENTS), moment(self._clock))

        def replace(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM webhooks WHERE id = ?", (CONFIGURED,))
            if url is not None:
                connection.execute("INSERT INTO webhooks VALUES (?, ?, ?, ?, ?)", values)

        await self._store.write(replace)

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._wake.clear()
            if await self.deliver_due():
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._wake.wait()

    async def deliver_due(self) -> int:
        """Try every delivery that is due once; return how many those were."""
        async with self._turn:
            return await self._deliver_due()

    async def _deliver_due(self) -> int:
        due = await self._store.read(
            lambda connection: connection.execute(
                "SELECT deliveries.*, url, secret FROM deliveries JOIN webhooks ON webhooks.id = webhook_id"
                " WHERE due_at <= ? ORDER BY deliveries.id LIMIT ?",
                (self._clock.now().timestamp(), _AT_ONCE),
            ).fetchall()
        )
        for row in due:
            await self._note(row, await self._send(row))
        return len(due)

    async def _send(self, row: sqlite3.Row) -> int | None:
        body, timestamp = row["body"].encode(), int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "X-ScaiKey-Webhook-ID": str(row["id"]),
            "X-ScaiKey-Event-ID": row["event_id"],
            "X-ScaiKey-Event-Type": row["event_type"],
            "X-ScaiKey-Timestamp": str(timestamp),
            "X-ScaiKey-Signature": signature(row["secret"], timestamp, body),
            "User-Agent": "ScaiKey-Webhook/1.0",
        }
        try:
            answer = await self._http.post(row["url"], content=body, headers=headers, timeout=_TIMEOUT_S)
        except httpx.HTTPError as failure:
            log.info("webhook not delivered", webhook=row["webhook_id"], failure=type(failure).__name__)
            return None
        return answer.status_code

    async def _note(self, row: sqlite3.Row, status: int | None) -> None:
        taken = status is not None and 200 <= status < 300
        now, attempt = self._clock.now(), row["attempts"]
        again = not taken and attempt < len(RETRY_AFTER_S)
        due_at = now.timestamp() + RETRY_AFTER_S[attempt] if again else None
        values = (attempt + 1, due_at, status, moment(self._clock) if taken else None, row["id"])
        await self._store.write(
            lambda connection: connection.execute(
                "UPDATE deliveries SET attempts = ?, due_at = ?, status_code = ?, delivered_at = ? WHERE id = ?",
                values,
            )
        )
