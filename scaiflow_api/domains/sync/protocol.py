"""The frames of y-websocket: one message each. Sync, awareness, authorisation, and asking for awareness."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from scaiflow_api.domains.sync.varints import Malformed, Reader, encoded, with_length

EMPTY_UPDATE: Final = b"\x00\x00"
"""An update that changes nothing."""


class Kind(IntEnum):
    """The first number of a frame."""

    SYNC = 0
    AWARENESS = 1
    AUTH = 2
    QUERY_AWARENESS = 3


class Step(IntEnum):
    """The second number of a sync frame."""

    STATE = 0
    """"Step 1": the state vector of the sender, which asks for what it lacks."""
    ANSWER = 1
    """"Step 2": what the receiver lacked."""
    UPDATE = 2


@dataclass(frozen=True, slots=True)
class State:
    """What a peer has, as a state vector."""

    vector: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """A change from a peer."""

    update: bytes
    answers: bool
    """Whether it is an answer to our state vector."""


@dataclass(frozen=True, slots=True)
class Awareness:
    """Who is where, not yet read."""

    update: bytes


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """A question for all that is known of who is where."""


Message: TypeAlias = State | Update | Awareness | QueryAwareness


def decoded(frame: bytes) -> Message:
    """Read a frame. Raises Malformed."""
    reader = Reader(frame)
    kind = reader.number()
    message: Message
    match kind:
        case Kind.SYNC:
            step, data = reader.number(), reader.data()
            if step > Step.UPDATE:
                raise Malformed("no such step of the sync protocol")
            message = State(data) if step == Step.STATE else Update(data, answers=step == Step.ANSWER)
        case Kind.AWARENESS:
            message = Awareness(reader.data())
        case Kind.QUERY_AWARENESS:
            message = QueryAwareness()
        case _:
            raise Malformed("no such kind of message")
    reader.end()
    return message


def state_frame(vector: bytes) -> bytes:
    return bytes((Kind.SYNC, Step.STATE)) + with_length(vector)


def answer_frame(update: bytes) -> bytes:
    return bytes((Kind.SYNC, Step.ANSWER)) + with_length(update)


def update_frame(update: bytes) -> bytes:
    return bytes((Kind.SYNC, Step.UPDATE)) + with_length(update)


def awareness_frame(update: bytes) -> bytes:
    return bytes((Kind.AWARENESS,)) + with_length(update)


def refusal_frame(reason: str) -> bytes:
    """Return a frame that tells why a change was not taken."""
    return bytes((Kind.AUTH,)) + encoded(0) + with_length(reason.encode())


def clients_of(vector: bytes) -> dict[int, int]:
    """Return the clients of a state vector, and how far it knows each. Raises Malformed."""
    reader = Reader(vector)
    clients = {reader.number(): reader.number() for _ in range(reader.number())}
    reader.end()
    return clients
