"""Who is where: what peers say of themselves, under the names that their tokens give them.

A client's id belongs to the person who spoke for it first, and to the socket, here or at another process, through
which they spoke for it last. What anybody else says of it is dropped without a word: y-websocket's own clients repeat
what they heard of others.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import orjson

from scaiflow_api.domains.sync.varints import Malformed, Reader, encoded, with_length

MOST_CLIENTS: Final = 16
"""Client ids that one socket may speak for: a page has one, and may have had others before it lost its connection."""
MOST_GONE: Final = 256
"""Clients that are gone whose persons are still known: those that went last."""
FORGOTTEN_AFTER_S: Final = 30.0
"""Yjs's own: a client that lives says so every 15 seconds."""
_GONE: Final = b"null"

Owner = TypeVar("Owner")


class SaidTooMuch(Exception):
    """A socket says more of its own clients than it may."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands behind a socket."""

    tenant_id: str
    user_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of one client: JSON, or `null` when it is gone."""

    client: int
    clock: int
    state: bytes

    @property
    def gone(self) -> bool:
        return self.state == _GONE


@dataclass(slots=True)
class _Known(Generic[Owner]):
    entry: Entry
    owner: Owner | None
    """None: it is at another process."""
    person: Person | None
    """None: only the user's id is known, from what the other process tells."""
    heard_at: float

    @property
    def user_id(self) -> str | None:
        return _user_of(self.entry) if self.person is None else self.person.user_id

    def is_of(self, person: Person) -> bool:
        """Tell whether somebody may speak for it."""
        return self.user_id == person.user_id if self.person is None else self.person == person

    def is_told_afar(self, entry: Entry) -> bool:
        """Tell whether another process may say this of it: it is there, or the same person goes on there."""
        return self.owner is None or (not entry.gone and self.user_id == _user_of(entry))


def decoded(update: bytes) -> list[Entry]:
    """Read an awareness update. Raises Malformed."""
    reader = Reader(update)
    entries = [Entry(reader.number(), reader.number(), reader.data()) for _ in range(reader.number())]
    reader.end()
    return entries


def written(entries: Iterable[Entry]) -> bytes:
    """Write an awareness update."""
    parts = [encoded(entry.client) + encoded(entry.clock) + with_length(entry.state) for entry in entries]
    return encoded(len(parts)) + b"".join(parts)


@dataclass(slots=True)
class WhoIsWhere(Generic[Owner]):
    """The awareness of one room. `Owner` is a socket of this process."""

    most_bytes: int = sys.maxsize
    """Of what a socket says at once of its own clients. What it repeats of others, which is dropped, may be more."""
    _known: dict[int, _Known[Owner]] = field(default_factory=dict)
    _gone: dict[int, str | None] = field(default_factory=dict)
    """Whose clients those were that are gone: a repetition of what was said of them may still be on its way."""

    def hear(self, update: bytes, owner: Owner, person: Person, now: float) -> list[Entry]:
        """Take what a socket says; return what the others should hear. Raises Malformed and SaidTooMuch."""
        mine = {client for client, known in self._known.items() if known.owner is owner}
        is_new = not mine
        heard, said = [], 0
        for entry in decoded(update):
            known = self._known.get(entry.client)
            if known is None:
                whose = self._gone.get(entry.client, person.user_id)
                if entry.gone or len(mine) >= MOST_CLIENTS or whose != person.user_id:
                    continue
            elif known.owner is not owner and not known.is_of(person):
                continue
            elif not _newer(entry, known.entry):
                if is_new:
                    # They come again before we saw that the old socket is gone. Later, it is a repetition of what
                    # the same person says in another window.
                    known.owner, known.person = owner, person
                continue
            said += len(entry.state)
            if said > self.most_bytes:
                raise SaidTooMuch
            told = Entry(entry.client, entry.clock, _named(entry.state, person))
            mine.add(entry.client)
            heard.append(told)
            self._take(told, owner, person, now)
        return heard

    def hear_from_afar(self, update: bytes, now: float) -> list[Entry]:
        """Take what another process tells of its sockets; return what ours should hear."""
        heard = []
        for entry in decoded(update):
            known = self._known.get(entry.client)
            news = (
                not entry.gone if known is None else _newer(entry, known.entry) and known.is_told_afar(entry)
            )
            if news:
                heard.append(entry)
                self._take(entry, None, None, now)
        return heard

    def leave(self, owner: Owner) -> list[Entry]:
        """Forget the clients of a socket; return what the others should hear."""
        left = [known.entry for known in self._known.values() if known.owner is owner]
        return [self._lost(entry) for entry in left]

    def forget_silent(self, now: float) -> list[Entry]:
        """Forget clients elsewhere that have not been heard of for long; return what the others should hear."""
        silent = [
            known.entry
            for known in self._known.values()
            if known.owner is None and now - known.heard_at > FORGOTTEN_AFTER_S
        ]
        return [self._lost(entry) for entry in silent]

    def all(self) -> list[Entry]:
        """Return what a newcomer should hear."""
        return [known.entry for known in self._known.values()]

    def ours(self) -> list[Entry]:
        """Return what another process should hear."""
        return [known.entry for known in self._known.values() if known.owner is not None]

    def _take(self, entry: Entry, owner: Owner | None, person: Person | None, now: float) -> None:
        if entry.gone:
            self._lost(entry)
        else:
            self._known[entry.client] = _Known(entry, owner, person, now)

    def _lost(self, entry: Entry) -> Entry:
        """Forget a client; return what the others should hear."""
        self._gone[entry.client] = self._known.pop(entry.client).user_id
        if len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]
        return Entry(entry.client, entry.clock, _GONE)


def _newer(entry: Entry, known: Entry) -> bool:
    return entry.clock > known.clock or (entry.clock == known.clock and entry.gone and not known.gone)


def _user_of(entry: Entry) -> str | None:
    """Return the user's id that a process wrote into a state."""
    user: dict[str, str] = orjson.loads(entry.state).get("user", {})
    return user.get("id")


def _named(state: bytes, person: Person) -> bytes:
    """Return a state with the name that is its sender's own. Raises Malformed."""
    try:
        said: Any = orjson.loads(state)
    except orjson.JSONDecodeError:
        raise Malformed("a state of awareness is no JSON") from None
    if said is None:
        return _GONE
    if not isinstance(said, dict):
        raise Malformed("a state of awareness is no object")
    user = said.get("user")
    said["user"] = {**(user if isinstance(user, dict) else {}), "id": person.user_id, "name": person.name}
    return orjson.dumps(said)
