"""Messages between processes about a draft: its log grew, what its clients announced, and who is there."""

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

_LOG: Final = b"l"
_AWARENESS: Final = b"a"
_QUESTION: Final = b"q"
_SEQ: Final = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class LogGrew:
    """The log of the draft goes up to `seq`, or further."""

    seq: int


@dataclass(frozen=True, slots=True)
class AwarenessChanged:
    """What is new of the clients of one room of a process, as an awareness update."""

    room: bytes
    update: bytes


@dataclass(frozen=True, slots=True)
class WhoIsThere:
    """A room asks for what is known of the clients elsewhere."""

    room: bytes


News: TypeAlias = LogGrew | AwarenessChanged | WhoIsThere


def topic_of(tenant_id: str, flow_id: str) -> str:
    """Return the topic under which news of a flow's draft are announced."""
    return f"draft:{tenant_id}:{flow_id}"


def written(news: News) -> bytes:
    """Return news as they are announced. The id of a room has 8 bytes."""
    match news:
        case LogGrew(seq):
            return _LOG + _SEQ.pack(seq)
        case AwarenessChanged(room, update):
            return _AWARENESS + room + update
        case WhoIsThere(room):
            return _QUESTION + room


def read(message: bytes) -> News | None:
    """Return the news in a message; None for what another release may say."""
    kind, rest = message[:1], message[1:]
    if kind == _LOG and len(rest) == _SEQ.size:
        return LogGrew(_SEQ.unpack(rest)[0])
    if kind == _AWARENESS and len(rest) > 8:
        return AwarenessChanged(rest[:8], rest[8:])
    if kind == _QUESTION and len(rest) == 8:
        return WhoIsThere(rest)
    return None
