"""Events as ScaiKey sends them, signed as it signs them."""

import hashlib
import hmac
import itertools
import time
from typing import Any

import httpx
import orjson

SECRET = "whsec-for-tests-only"
_numbers = itertools.count(1)


def scaikey_event(
    event_type: str, data: dict[str, Any], *, tenant: str = "tnt_acme", **changed: Any
) -> bytes:
    """Return an event in ScaiKey's envelope."""
    event = {
        "event_id": f"evt_{next(_numbers)}",
        "event_type": event_type,
        "timestamp": "2026-01-01T12:00:00Z",
        "resource": {"type": event_type.partition(".")[0], "id": data.get("id")},
        "actor": {"id": None, "type": "admin"},
        "data": data,
        "tenant_id": tenant,
    }
    return orjson.dumps({**event, **changed})


def scaiflow_event(
    event_type: str, data: dict[str, Any], *, tenant: str = "tnt_acme", **changed: Any
) -> bytes:
    """Return an event in the envelope of ScaiFlow's own page."""
    event = {
        "id": f"evt_{next(_numbers)}",
        "type": event_type,
        "created_at": "2026-01-01T12:00:00Z",
        "data": {"tenant_id": tenant, **data},
    }
    return orjson.dumps({**event, **changed})


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET, **changed: str) -> dict[str, str]:
    """Return the headers of a good delivery; `changed` replaces some."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    good = {
        "Content-Type": "application/json",
        "X-Scaikey-Signature": f"t={stamp},v1={digest}",
        "X-Scaikey-Timestamp": stamp,
    }
    return {**good, **changed}


async def deliver(api: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    return await api.post("/webhooks/scaikey", content=body, headers=headers or signed(body))
