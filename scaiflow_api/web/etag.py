"""ETags in headers."""


def names(header: str, tag: str) -> bool:
    """Tell whether an `If-Match` or `If-None-Match` header names this ETag; `*` names every one."""
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in given or tag in given
