"""Answers of upstreams: taken as they are when they are good, and told as an error, without secrets, when not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import httpx
import orjson
from pydantic import SecretStr

from scaiflow_api.kit.logging import SCRUBBED, scrub
from scaiflow_api.upstreams.failures import (
    System,
    UpstreamBusy,
    UpstreamError,
    UpstreamNonsense,
    UpstreamRejected,
    UpstreamUnavailable,
)

_LONGEST_MESSAGE: Final = 500
_LONGEST_REFUSAL: Final = 256 * 1024
"""A longer one is not read: each of its texts is looked through for secrets, while others wait."""
_DETAILS_TOLD: Final = 3
_SHORTEST_SECRET: Final = 8
"""Without a shorter one little would be left of an answer, and it is no secret."""
HANDED_ON: Final = (
    "Retry-After",
    "X-Scaigrid-Ratelimit-Limit",
    "X-Scaigrid-Ratelimit-Remaining",
    "X-Scaigrid-Ratelimit-Reset",
)
"""What is handed on of an answer of 429."""
_HEADER: Final = re.compile(r"[!-~][ -~]{0,127}", re.ASCII)
_NESTING_THAT_IS_WRITTEN: Final = 250
"""Deeper JSON can be read, but not written again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer with a status below 300."""

    system: System
    status: int
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the decoded body. Raises UpstreamNonsense when it is not JSON, or is nested too deeply."""
        try:
            return _decoded(self.content)
        except ValueError:
            raise UpstreamNonsense(self.system, status=self.status) from None


def failure_of(
    system: System,
    status: int,
    headers: httpx.Headers,
    content: bytes,
    *,
    needs: str | None = None,
    sent: Sequence[SecretStr] = (),
) -> UpstreamError:
    """Return what an answer with a status of 300 or more means, without the secrets that were `sent` and quoted."""
    if status < 400:
        return UpstreamNonsense(system, status=status)
    for secret in sent:
        if len(value := secret.get_secret_value()) >= _SHORTEST_SECRET:
            content = content.replace(value.encode(), SCRUBBED.encode())
    body = _object(content) if len(content) <= _LONGEST_REFUSAL else {}
    code, message = explanation(body)
    if status == 429:
        handed_on = {name: headers[name] for name in HANDED_ON if _HEADER.fullmatch(headers.get(name, ""))}
        # Names of keys say nothing here: "tokens" are also what is counted.
        return UpstreamBusy(system, message=message, body=scrub(body, by_name=False), headers=handed_on)
    if status < 500:
        return UpstreamRejected(system, status=status, code=code, message=message, needs=needs)
    return UpstreamUnavailable(system, status=status, code=code, message=message)


def explanation(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return code and message of an error body: ScaiGrid's envelope, OAuth's pair, or FastAPI's `detail`."""
    error, detail = body.get("error"), body.get("detail")
    if isinstance(error, Mapping):
        code, message = error.get("code"), _with_details(error)
    elif isinstance(error, str):
        code, message = error, body.get("error_description")
    elif isinstance(detail, Mapping):
        code, message = detail.get("error"), detail.get("message")
    elif isinstance(detail, list):
        code, message = None, "; ".join(islice(_wrong_inputs(detail), _DETAILS_TOLD))
    else:
        code, message = None, detail
    return _word(code), _sentence(message)


def _with_details(error: Mapping[str, Any]) -> Any:
    """Return the message of ScaiGrid's envelope; where fields are wrong only `details` say which."""
    message, details = error.get("message"), error.get("details")
    if not isinstance(message, str) or not isinstance(details, list):
        return message
    told = (
        ": ".join(word for word in (_word(detail.get("field")), what) if word)
        for detail in details
        if isinstance(detail, Mapping) and (what := _word(detail.get("message"))) and what not in message
    )
    return " ".join(filter(None, [message, "; ".join(islice(told, _DETAILS_TOLD))]))


def _wrong_inputs(detail: Sequence[Any]) -> Iterator[str]:
    """Yield what FastAPI says of each input that is wrong, after its place."""
    for found in detail:
        if isinstance(found, Mapping) and (what := _word(found.get("msg"))):
            loc = found.get("loc")
            place = ".".join(map(str, loc)) if isinstance(loc, list) else None
            yield ": ".join(filter(None, (_word(place), what)))


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        value = _decoded(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _decoded(content: bytes) -> Any:
    """Return JSON that can be handed on. Raises ValueError."""
    value = orjson.loads(content)
    if content.count(b"[") + content.count(b"{") > _NESTING_THAT_IS_WRITTEN:
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            raise ValueError("nested too deeply") from None
    return value


def _word(value: object) -> str | None:
    return str(scrub(value))[:100] if isinstance(value, str) and value else None


def _sentence(value: object) -> str | None:
    """Return text that may be shown and logged."""
    return str(scrub(value))[:_LONGEST_MESSAGE] if isinstance(value, str) and value.strip() else None
