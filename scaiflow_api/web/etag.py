"""ETags in headers."""

from typing import Any, Final

TAGGED: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "Names the state that is answered.", "schema": {"type": "string"}}}
}
"""What `responses=` of a route says of an answer with an ETag."""
CONDITIONAL: Final[dict[int | str, dict[str, Any]]] = {
    200: TAGGED,
    304: {"description": "unchanged", **TAGGED},
}
"""What it says where `If-None-Match` is taken."""


def etag_matches(header: str, tag: str) -> bool:
    """Tell whether an `If-Match` or `If-None-Match` header etag_matches this ETag; `*` names every one."""
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in given or tag in given
