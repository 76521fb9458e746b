"""Successful answers `{"status": "ok", "data": …, "meta": {request_id}}`, bodies and page cursors."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import orjson
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid

MAX_NESTING = 64
"""Of values that callers hand to a run."""

_Body = TypeVar("_Body", bound=BaseModel)


def ok(request: Request, data: Any, *, status: int = 200) -> Response:
    """Return `data` in the envelope."""
    body = {"status": "ok", "data": data, "meta": {"request_id": request.state.request_id}}
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


async def read_json(request: Request, model: type[_Body]) -> _Body:
    """Return the body as `model`; an absent body counts as `{}`. Raises GridError."""
    raw = await request.body()
    try:
        return model.model_validate(orjson.loads(raw) if raw.strip() else {})
    except orjson.JSONDecodeError as error:
        raise invalid(f"the body is no JSON: {error}") from None
    except ValidationError as error:
        details = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        raise GridError(422, "VALIDATION_ERROR", "The request is not valid.", details=details) from None


def is_within(value: Any, depth: int) -> bool:
    """Return whether a value is nested no deeper."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(is_within(item, depth - 1) for item in inner)


class _Placed(Protocol):
    @property
    def seq(self) -> int: ...


_Row = TypeVar("_Row", bound=_Placed)


def page_of(found: Sequence[_Row], limit: int) -> tuple[Sequence[_Row], str | None]:
    """Return a page and the cursor behind it, None at the end, of rows of which one more was asked for."""
    shown = found[:limit]
    return shown, cursor_of(shown[-1].seq) if len(found) > limit else None


def cursor_of(position: int) -> str:
    """Return an opaque cursor that stands behind a position."""
    return urlsafe_b64encode(f"after:{position}".encode()).rstrip(b"=").decode()


def position_of(cursor: str) -> int:
    """Return the position a cursor stands behind. Raises GridError."""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = re.fullmatch(r"after:(\d{1,18})", text, re.ASCII)
    if found is None:
        raise invalid("the cursor is not one of ours", "cursor")
    return int(found[1])
