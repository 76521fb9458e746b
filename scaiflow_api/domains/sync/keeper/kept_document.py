"""The document of a draft, in the keeper's process.

A panic of the library is no `Exception` in Python, and nobody catches it: the document is worthless then, and the
process ends.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from pycrdt import Doc, get_state, get_update, merge_updates

from scaiflow_api.domains.sync.document.epochs import FIRST_EPOCH_CLIENT
from scaiflow_api.domains.sync.document.safety import is_safe
from scaiflow_api.domains.sync.protocol import EMPTY_UPDATE, clients_of
from scaiflow_api.domains.sync.varints import Malformed, Reader

CHANGED: Final = "changed"
NOTHING_NEW: Final = "nothing new"
INVALID: Final = "invalid"
OTHER_EPOCH: Final = "other epoch"
_NO_STATE: Final = b"\x00"
_MOST_WAITING: Final = 64
"""So many changes wait one by one; more are merged into one."""

Ranges = dict[int, list[tuple[int, int]]]


@dataclass(slots=True)
class KeptDocument:
    """One document, and the changes that wait for others that they build upon."""

    seed_client: int
    doc: "Doc[Any]" = field(default_factory=lambda: Doc())  # noqa: PLW0108 - for its type
    waiting: list[bytes] = field(default_factory=list)

    def load(self, updates: list[bytes]) -> int:
        """Apply a log; return how many of its entries cannot be read.

        The first entry is the server's own, a seed or a merged log, and the largest. It is not judged again: for a
        large draft that would take ten times as long as applying it, and every other draft would have to wait.
        """
        unreadable = 0
        for position, update in enumerate(updates):
            try:
                if position == 0:
                    self._take(update)
                else:
                    unreadable += self.apply(update, trim=False)[0] not in (CHANGED, NOTHING_NEW)
            except (RuntimeError, ValueError):
                unreadable += 1
        return unreadable

    def apply(self, update: bytes, *, trim: bool) -> tuple[str, bytes]:
        """Apply a change; return the verdict, and the change, which with `trim` holds only what is new.

        Raises RuntimeError where it can be read but not applied; then it is unknown how much of it was.
        """
        if (verdict := self._judged(update)) != CHANGED:
            return verdict, b""
        try:
            if trim:
                update = get_update(update, self.doc.get_state())
            # As the library itself writes it: other clients must not get anything that only this library can read.
            update = merge_updates(update)
            get_state(update)
        except ValueError:
            return INVALID, b""
        self._take(update)
        return CHANGED, update

    def _take(self, update: bytes) -> None:
        self.doc.apply_update(update)
        if _lacking(update, self.doc.get_state()):
            self.waiting.append(update)
            if len(self.waiting) > _MOST_WAITING:
                self.waiting = [_together(self.waiting[0], self.waiting[1:])]

    def adds(self, update: bytes) -> bool:
        """Tell whether a change would change the document."""
        return self._judged(update) not in (NOTHING_NEW, INVALID)

    def lacked_by(self, vector: bytes) -> tuple[bytes, bytes] | None:
        """Return what a state vector lacks, and our own; None: it tells of another epoch. Raises Malformed."""
        if self._foreign(clients_of(vector)):
            return None
        self._settle()
        return self._with_waiting(self.doc.get_update(vector)), self.doc.get_state()

    def whole(self) -> tuple[bytes, bytes]:
        """Return all of it as one update, with what still waits, and the state vector."""
        self._settle()
        return self._with_waiting(self.doc.get_update(_NO_STATE)), self.doc.get_state()

    def _settle(self) -> None:
        """Take in what waited for something that came since: the library does not always see that it may."""
        if not self.waiting:
            return
        merged = _together(self.doc.get_update(_NO_STATE), self.waiting)
        doc: Doc[Any] = Doc()
        doc.apply_update(merged)
        before, after = clients_of(self.doc.get_state()), clients_of(doc.get_state())
        if any(after.get(client, 0) < clock for client, clock in before.items()):
            return
        self.doc = doc
        state = doc.get_state()
        self.waiting = [get_update(merged, state)] if _lacking(merged, state) else []

    def _with_waiting(self, update: bytes) -> bytes:
        return _together(update, self.waiting) if self.waiting else update

    def _judged(self, update: bytes) -> str:
        """Tell what a change would do, as far as that can be known without applying it."""
        if update == EMPTY_UPDATE:
            return NOTHING_NEW
        if not is_safe(update):
            return INVALID
        try:
            # What a history brings that is not ours begins at its beginning: nobody has it here.
            if self._foreign(clients_of(get_state(update))):
                return OTHER_EPOCH
            state = self.doc.get_state()
            lacked = get_update(update, state)
            if lacked[0] == 0 and _within(_deleted(lacked), _deleted(self.doc.get_update(state))):
                return NOTHING_NEW
        except (ValueError, Malformed):
            return INVALID
        return CHANGED

    def _foreign(self, clients: dict[int, int]) -> bool:
        return any(client >= FIRST_EPOCH_CLIENT and client != self.seed_client for client in clients)


def _lacking(update: bytes, state: bytes) -> bool:
    """Tell whether something of an applied change waits for what it builds upon, or would delete."""
    known = clients_of(state)
    try:
        rest = get_update(update, state)
        return rest[0] != 0 or any(
            start + length > known.get(client, 0)
            for client, ranges in _deleted(rest).items()
            for start, length in ranges
        )
    except (ValueError, Malformed):
        return True


def _together(update: bytes, others: list[bytes]) -> bytes:
    """Merge changes into one. Those with which the library writes what it cannot read are left out: made-up ones."""
    merged = _merged(update, *others)
    if merged is not None:
        return merged
    for other in others:
        update = _merged(update, other) or update
    return update


def _merged(*updates: bytes) -> bytes | None:
    try:
        merged = merge_updates(*updates)
        get_state(merged)
    except ValueError:
        return None
    return merged


def _deleted(update: bytes) -> Ranges:
    """Return what an update deletes, by client; it must bring nothing else."""
    reader = Reader(update)
    reader.number()
    found: Ranges = {}
    for _ in range(reader.number()):
        client = reader.number()
        found[client] = [(reader.number(), reader.number()) for _ in range(reader.number())]
    reader.end()
    return found


def _within(some: Ranges, others: Ranges) -> bool:
    """Tell whether all that is in `some` is also in `others`."""
    for client, ranges in some.items():
        there = sorted(others.get(client, ()))
        for start, length in ranges:
            at = start
            for other, its in there:
                if other <= at < other + its:
                    at = other + its
            if at < start + length:
                return False
    return True
