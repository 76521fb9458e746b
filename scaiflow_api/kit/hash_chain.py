"""Hash chains: records of which each holds the digest of the one before it, so that nothing changes unseen.

A record is a JSON object with `seq` (1, 2, 3, …), `prev_hash` and `hash`. Its `hash` is the SHA-256, in hex, of the
canonical JSON of all its other members; its `prev_hash` is the `hash` of the record before it. The head of a chain
names its last record, so that a cut tail shows too. Whoever rewrites every record from some point on, and the head,
is found only by comparing with a head that was noted elsewhere.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from scaiflow_api.kit.canonical_json import canonical_json

GENESIS = "0" * 64
"""The `prev_hash` of the first record."""

Damage: TypeAlias = Literal["changed", "removed", "inserted", "moved", "unlinked", "head", "noted"]

_REACH = 1000
"""How many places away a moved record's own place is looked for."""
_SEARCHES = 100
"""How many damaged records are looked for; what is beyond is only said to be changed."""


def digest(record: Mapping[str, Any]) -> str:
    """Return what the `hash` of a record must be. Raises ValueError for what has no canonical JSON."""
    members = {name: value for name, value in record.items() if name != "hash"}
    return hashlib.sha256(canonical_json(members)).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the records `first` to `last`."""

    damage: Damage
    first: int
    last: int
    shift: int = 0
    """Of moved records: how much further on they were written."""

    def __str__(self) -> str:
        rows = _span(self.first, self.last)
        verb = "was" if self.first == self.last else "were"
        match self.damage:
            case "changed":
                return f"{rows} {verb} changed"
            case "removed":
                return f"{rows} {verb} removed"
            case "inserted":
                return f"{rows} {verb} inserted"
            case "moved":
                return f"{rows} {verb} written as {_span(self.first + self.shift, self.last + self.shift)}"
            case "unlinked":
                return (
                    f"{rows} does not follow the row before: that one was replaced, or others stood between"
                )
            case "head":
                return f"{rows} is not the one that the head of the chain names"
            case "noted":
                return f"{rows} is not the one that was noted: it or rows before it were rewritten"

    def joined(self, other: "Finding") -> "Finding | None":
        """Return both as one, where `other` only goes on with the same."""
        goes_on = other.first == self.last + 1 and self.damage in ("changed", "removed", "inserted", "moved")
        if goes_on and (self.damage, self.shift) == (other.damage, other.shift):
            return replace(self, last=other.last)
        return None


class ChainCheck:
    """Takes the records of one chain by rising `seq`, and gathers what is wrong with them.

    `gaps` allows missing records: those of an excerpt. A record is compared with its neighbour only where both are
    there, so an excerpt is checked less strictly. `noted` is a head of before, kept elsewhere: its record must
    still be there.
    """

    def __init__(self, *, gaps: bool = False, noted: Head | None = None) -> None:
        self.findings: list[Finding] = []
        self.checked = 0
        self._gaps = gaps
        self._noted = noted
        self._last = Head(0, GENESIS)
        self._sound = True
        """Whether the record before was found as it was written."""
        self._searches = 0

    @property
    def last(self) -> Head:
        """The last record so far, as it calls itself."""
        return self._last

    def feed(self, record: Mapping[str, Any]) -> None:
        """Look at the next record."""
        self.checked += 1
        seq, own = record["seq"], record["hash"]
        if seq <= self._last.seq:
            self._found(Finding("inserted", seq, seq))
            return
        follows = seq == self._last.seq + 1
        if not follows and not self._gaps:
            self._found(Finding("removed", self._last.seq + 1, seq - 1))
        sound = _digest_or_none(record) == own
        if not sound:
            shift = self._shift_of(record)
            self._found(Finding("moved" if shift else "changed", seq, seq, shift))
        elif follows and self._sound and record["prev_hash"] != self._last.hash:
            self._found(Finding("unlinked", seq, seq))
        self._last, self._sound = Head(seq, own), sound
        if self._noted is not None and seq == self._noted.seq and own != self._noted.hash:
            self._found(Finding("noted", seq, seq))

    def close(self, head: Head | None) -> None:
        """Compare the end with what the chain's head says; None: there is no head."""
        last = self._last
        end = max((known.seq for known in (head, self._noted) if known is not None), default=0)
        if end > last.seq:
            self._found(Finding("removed", last.seq + 1, end))
        elif head is None:
            if last.seq:
                self._found(Finding("head", last.seq, last.seq))
        elif head.seq < last.seq:
            self._found(Finding("inserted", head.seq + 1, last.seq))
        elif head.hash != last.hash and self._sound:
            self._found(Finding("head", last.seq, last.seq))

    def _found(self, finding: Finding) -> None:
        joined = self.findings[-1].joined(finding) if self.findings else None
        if joined is not None:
            self.findings[-1] = joined
        else:
            self.findings.append(finding)

    def _shift_of(self, record: Mapping[str, Any]) -> int:
        """Return how far from here the record was written, if that is all that is wrong with it; else 0."""
        if self._searches >= _SEARCHES:
            return 0
        known = self.findings[-1].shift if self.findings else 0
        for shift in _shifts(known):
            seq = record["seq"] + shift
            if seq > 0 and _digest_or_none({**record, "seq": seq}) == record["hash"]:
                return shift
        self._searches += 1
        return 0


def _shifts(known: int) -> Iterator[int]:
    """Yield where to look, the likely first."""
    if known:
        yield known
    for distance in range(1, _REACH + 1):
        yield distance
        yield -distance


def _digest_or_none(record: Mapping[str, Any]) -> str | None:
    try:
        return digest(record)
    except ValueError:
        return None


def _span(first: int, last: int) -> str:
    return f"row {first}" if first == last else f"rows {first} to {last}"
