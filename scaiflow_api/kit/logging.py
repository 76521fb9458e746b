"""Structured logs: one JSON object a line on standard error, with the request's ids, without secrets."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
import structlog

SCRUBBED = "[scrubbed]"

_SECRET_NAMES = re.compile(
    r"authorization|cookie|token|secret|password|api_?key|credential|code_verifier", re.IGNORECASE
)
# Callers choose some of these texts: none may take longer than its length. So a JWT is looked for once in each run of
# its characters, and only in one that two dots follow; else each of many `eyJ` would read the rest of the run.
_SECRET_TEXT = re.compile(
    r"""\b(?:sgk|skt)_[^\s"']+           # a ScaiGrid key, a ScaiVault token
      | (?<![\w-])(?=[\w-]++\.[\w-]{4,}\.)[\w-]*?eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*   # a JWT
      | \bbearer\s+\S+                    # an Authorization header
      | (?<=://)[^\s/:@]*:[^\s/@]+(?=@)   # a user, or none, and a password in an address
    """,
    re.IGNORECASE | re.VERBOSE,
)


def scrub(value: Any, *, by_name: bool = True) -> Any:
    """Return `value` without what looks like a secret, by the look of a text or, `by_name`, by the name of a key."""
    if isinstance(value, str):
        return _SECRET_TEXT.sub(SCRUBBED, value)
    if isinstance(value, Mapping):
        return {
            key: SCRUBBED
            if by_name and isinstance(key, str) and _SECRET_NAMES.search(key)
            else scrub(item, by_name=by_name)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrub(item, by_name=by_name) for item in value]
    return value


class _WithoutQueries(logging.Filter):
    """Takes the query off the addresses that uvicorn logs: that of a socket holds a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_query(value) for value in record.args)
        return True


_without_queries = _WithoutQueries()


def _without_query(value: object) -> object:
    if isinstance(value, str) and "/" in value:
        return value.partition("?")[0]
    return value


def _scrub_event(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    cleaned: Mapping[str, Any] = scrub(event)
    return cleaned


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logging(level: str) -> None:
    """Send structlog and the standard library's loggers to one JSON stream."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        _scrub_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # On the loggers, not the handler: uvicorn may have been told to use handlers of its own.
    for server in ("uvicorn.error", "uvicorn.access", "uvicorn"):
        logging.getLogger(server).addFilter(_without_queries)
    # httpx logs every address it calls at INFO, and an address may carry a caller's text; alembic tells of itself.
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
