"""Idempotency keys: the first to come with a key reserves it, does the work and leaves the answer for the others.

A key is one row, and counts until it expires. While the work is under way that is soon, and pushed ahead as long as
the worker lives; a worker that died loses the key, and the next request does the work once more. With the answer in
it, the row counts for a day. Time is the database's, as with leases.
"""

import asyncio
import hashlib
import secrets
import zlib
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import CursorResult, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.clock import now_ms
from scaiflow_api.db.models.idempotency_key import IdempotencyKey
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.db.session import Database

RESERVED_S: Final = 30.0
"""How long a dead worker keeps a key."""
KEPT_S: Final = 24 * 3600.0
_ATTEMPTS: Final = 5


class KeyInUse(Exception):
    """The work under this key is under way."""


class KeyOfAnother(Exception):
    """The key stands for another request."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose key it is, and what for: the same text elsewhere is another key."""

    tenant_id: str
    caller_id: str
    route: str
    key: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(orjson.dumps([self.caller_id, self.route, self.key])).hexdigest()


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | None
    """None: it was too large to be kept."""


class IdempotencyKeys:
    """Every statement is its own short transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, place: Place, fingerprint: str) -> HeldLease | KeptAnswer:
        """Reserve the key for the request with this fingerprint, or return what it was answered.

        Raises KeyInUse or KeyOfAnother.
        """
        for _ in range(_ATTEMPTS):
            # Looking first: two failed inserts of the same row can be a deadlock on MariaDB.
            async with self._db.read() as session:
                row = (await session.execute(_look(place))).one_or_none()
            holder = secrets.token_hex(16)
            if row is None:
                taken = await self._insert(place, fingerprint, holder)
            elif row.expired:
                taken = await self._take_over(place, fingerprint, holder)
            elif row.fingerprint != fingerprint:
                raise KeyOfAnother
            elif row.answer is None:
                raise KeyInUse
            else:
                return await asyncio.to_thread(_unpacked, row.answer)
            if taken:
                return HeldLease(place.digest, holder)
        raise KeyInUse

    async def renew(self, place: Place, held: HeldLease) -> bool:
        """Prolong our reservation; False when it is not ours any more."""
        return await self._change(place, _ours(held), expires_ms=_in(RESERVED_S))

    async def keep(self, place: Place, held: HeldLease, answer: KeptAnswer) -> None:
        """Leave the answer under the key, unless the reservation is not ours any more."""
        packed = await asyncio.to_thread(_packed, answer)
        await self._change(place, _ours(held), answer=packed, expires_ms=_in(KEPT_S))

    async def release(self, place: Place, held: HeldLease) -> None:
        """Give the key back without an answer, if it is still ours."""
        await self._change(place, _ours(held), expires_ms=0)

    async def remove_expired(self, *, at_most: int) -> int:
        """Delete up to so many expired rows, of whatever tenant; return how many there were."""
        identity = tuple_(IdempotencyKey.tenant_id, IdempotencyKey.digest)
        expired = IdempotencyKey.expires_ms <= now_ms()
        async with self._db.read() as session:
            found = await session.execute(
                select(IdempotencyKey.tenant_id, IdempotencyKey.digest).where(expired).limit(at_most)
            )
            rows = [tuple(row) for row in found]
        if not rows:
            return 0
        async with self._db.write() as session:
            gone = await session.execute(delete(IdempotencyKey).where(identity.in_(rows), expired))
        assert isinstance(gone, CursorResult)
        return gone.rowcount

    async def count_expired(self) -> int:
        """Return how many expired rows there are."""
        counted = select(func.count()).where(IdempotencyKey.expires_ms <= now_ms())
        async with self._db.read() as session:
            return await session.scalar(counted) or 0

    async def _insert(self, place: Place, fingerprint: str, holder: str) -> bool:
        try:
            async with self._db.write() as session:
                await session.execute(
                    insert(IdempotencyKey).values(
                        tenant_id=place.tenant_id,
                        digest=place.digest,
                        fingerprint=fingerprint,
                        holder=holder,
                        expires_ms=_in(RESERVED_S),
                    )
                )
        except IntegrityError:
            return False
        return True

    async def _take_over(self, place: Place, fingerprint: str, holder: str) -> bool:
        return await self._change(
            place,
            IdempotencyKey.expires_ms <= now_ms(),
            fingerprint=fingerprint,
            holder=holder,
            answer=None,
            expires_ms=_in(RESERVED_S),
        )

    async def _change(self, place: Place, state: Any, **values: Any) -> bool:
        statement = update(IdempotencyKey).where(*_at(place), state).values(**values)
        async with self._db.write() as session:
            result = await session.execute(statement.execution_options(synchronize_session=False))
        assert isinstance(result, CursorResult)
        return result.rowcount == 1


def _at(place: Place) -> tuple[Any, Any]:
    return IdempotencyKey.tenant_id == place.tenant_id, IdempotencyKey.digest == place.digest


def _look(place: Place) -> Any:
    row = IdempotencyKey
    expired = (row.expires_ms <= now_ms()).label("expired")
    return select(row.fingerprint, row.answer, expired).where(*_at(place))


def _ours(held: HeldLease) -> Any:
    # Though it ran out: as long as nobody else took it, it is ours.
    return IdempotencyKey.holder == held.holder


def _in(seconds: float) -> Any:
    return now_ms() + int(seconds * 1000)


def _packed(answer: KeptAnswer) -> bytes:
    head = orjson.dumps([answer.status, answer.headers, answer.body is not None])
    return zlib.compress(head + b"\n" + (answer.body or b""), 1)


def _unpacked(packed: bytes) -> KeptAnswer:
    head, _, body = zlib.decompress(packed).partition(b"\n")
    status, headers, whole = orjson.loads(head)
    return KeptAnswer(status, [(name, value) for name, value in headers], body if whole else None)
