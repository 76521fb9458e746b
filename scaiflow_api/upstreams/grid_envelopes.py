"""The envelopes of ScaiGrid and its modules: their documentation shows several, and all are understood."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.upstreams.answers import Answer, explanation
from scaiflow_api.upstreams.failures import UpstreamNonsense

LONGEST_ID = 128
_LIST_NAMES = ("items", "cores", "models", "scopes", "queues", "bunkers", "checkpoints")


def read_data(answer: Answer) -> Mapping[str, Any]:
    """Return the `data` of an envelope. Raises UpstreamNonsense."""
    body = answer.json()
    data = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(data, Mapping):
        message = explanation(body)[1] if isinstance(body, Mapping) else None
        raise UpstreamNonsense(answer.system, status=answer.status, message=message)
    return data


def read_list(answer: Answer) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return the rows of a list and the cursor of its next page.

    Understood: `{data: […]}`, `{data: {items: […]}}` and OpenAI's `{object: "list", data: […]}`, with the cursor
    beside or inside `data`, or in `meta`. Where `has_more` is false a cursor means nothing. Raises UpstreamNonsense,
    also where there are entries and none is a row.
    """
    body = answer.json()
    data = body.get("data") if isinstance(body, Mapping) else None
    inner: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    rows = next((inner[name] for name in _LIST_NAMES if name in inner), data)
    if not isinstance(rows, list):
        raise UpstreamNonsense(answer.system, status=answer.status)
    found = [row for row in rows if isinstance(row, Mapping)]
    if rows and not found:
        raise UpstreamNonsense(answer.system, status=answer.status)
    meta = body.get("meta")
    places = (inner, body, meta if isinstance(meta, Mapping) else {})
    cursor = next((told for place in places if (told := text(place.get("next_cursor")))), None)
    if any(place.get("has_more") is False for place in places):
        cursor = None
    return found, cursor


def text(value: object) -> str | None:
    """Return text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def id_of(row: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the fields that holds a usable id, one that can be a segment of a path."""
    return next((found for name in names if (found := text(row.get(name))) and _usable(found)), None)


def count(value: object) -> int | None:
    """Return a whole number; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _usable(found: str) -> bool:
    return len(found) <= LONGEST_ID and found not in {".", ".."}
