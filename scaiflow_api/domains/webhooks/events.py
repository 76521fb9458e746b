"""An event, in whichever of ScaiKey's two envelopes and spellings it comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from scaiflow_api.domains.webhooks.errors import MalformedWebhook
from scaiflow_api.domains.webhooks.signature import TOLERANCE_S
from scaiflow_api.upstreams.scaikey_rows import read_id, read_tenant

_SPELLINGS = {
    "group.member_added": "group_membership.added",
    "group.member_removed": "group_membership.removed",
}
_LONGEST_TYPE = 128


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in ScaiKey."""

    id: str
    type: str
    """In ScaiFlow's spelling."""
    at: datetime
    """When it happened, by ScaiKey's clock."""
    tenant_id: str | None
    data: Mapping[str, Any]
    subject_id: str | None
    """The id of the thing that the event is about, where the envelope names it."""


def read_event(body: bytes, *, signed_at: int) -> Event:
    """Return the event. Raises MalformedWebhook.

    One that does not say when it happened happened when it was signed, and none happens later than now.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedWebhook(reason="it is not JSON") from None
    if not isinstance(found, dict):
        raise MalformedWebhook(reason="it is not an object")
    event_id, event_type = read_id(found, "event_id", "id"), found.get("event_type", found.get("type"))
    if event_id is None:
        raise MalformedWebhook(reason="it has no 'id' or 'event_id'")
    if not isinstance(event_type, str) or not 0 < len(event_type) <= _LONGEST_TYPE or "\0" in event_type:
        raise MalformedWebhook(reason="it has no 'type' or 'event_type'")
    data = found.get("data")
    data = data if isinstance(data, dict) else {}
    named = {tenant for tenant in (read_id(found, "tenant_id"), read_tenant(data)) if tenant is not None}
    if len(named) > 1:
        raise MalformedWebhook(reason="it names two tenants")
    resource = found.get("resource")
    return Event(
        id=event_id,
        type=_SPELLINGS.get(event_type, event_type),
        at=_moment(found.get("timestamp", found.get("created_at")), signed_at),
        tenant_id=next(iter(named), None),
        data=data,
        subject_id=read_id(resource, "id") if isinstance(resource, dict) else None,
    )


def _moment(told: object, signed_at: int) -> datetime:
    latest = datetime.fromtimestamp(signed_at, UTC) + timedelta(seconds=TOLERANCE_S)
    try:
        found = datetime.fromisoformat(told) if isinstance(told, str) else None
        if found is not None:
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and last day of all have no UTC in some zones
        found = None
    if found is None:
        return datetime.fromtimestamp(signed_at, UTC)
    # A time far ahead would make everything that really happens later old news.
    return min(found, latest)
