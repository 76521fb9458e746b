"""The header `Link`: where the next page is, of a list whose answer is a bare array."""

from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response

LINKED: Final[dict[str, Any]] = {
    "headers": {
        "Link": {
            "description": 'Where the next page is, as `<address>; rel="next"`; left out with the last page.',
            "schema": {"type": "string"},
        }
    }
}
"""What `responses=` of a route says of an answer with the header."""


def link_next(request: Request, response: Response, **asked: str | int | None) -> None:
    """Say where the next page is: at the same address with this query, without what is None."""
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
