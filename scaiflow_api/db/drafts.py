"""The log of a draft, within one transaction: begun once, added to in order, shortened without losing anything.

An entry is a Yjs update (format 1). Its number is taken under the lock of the draft's row, which is held until the
transaction commits; so a reader of an entry sees all before it, and can ask for what came after the last it saw.
Merging puts one entry in the place of those that went into it, under the number of the last: a reader needs not know
of it, since an update may be applied twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, cast

from sqlalchemy import (
    Connection,
    CursorResult,
    Table,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.models.draft import SyncDocument, SyncUpdate
from scaiflow_api.db.prepared import Prepared

PART_BYTES: Final = 1024 * 1024
"""An entry is stored in parts of this size: MariaDB takes no statement over 16 MiB, by default."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log."""

    seq: int
    update: bytes


class Drafts:
    """Drafts as one session sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, tenant_id: str, flow_id: str) -> SyncDocument | None:
        """Return the draft of a flow as it is now."""
        values = {"flow_id": flow_id, "tenant_id": tenant_id}
        row = await self._session.run_sync(lambda inner: _FIND.first(inner.connection(), values))
        return SyncDocument(**row) if row else None

    async def entries(self, draft: SyncDocument, *, after: int = 0) -> list[Entry]:
        """Return the log of the draft's epoch behind entry `after`, in order.

        Empty for a draft that was found before its epoch ended.
        """
        rows = await self._session.execute(
            select(SyncUpdate.seq, SyncUpdate.data)
            .where(
                SyncUpdate.flow_id == draft.flow_id,
                SyncUpdate.epoch == draft.epoch,
                SyncUpdate.seq > after,
            )
            .order_by(SyncUpdate.seq, SyncUpdate.part)
        )
        parts: dict[int, list[bytes]] = {}
        for seq, data in rows:
            parts.setdefault(seq, []).append(data)
        return [Entry(seq, b"".join(data)) for seq, data in parts.items()]

    async def begin(
        self, tenant_id: str, flow_id: str, *, epoch: str, version: str, seed: bytes, now: datetime
    ) -> None:
        """Make a draft, whose first entry is `seed`. Raises IntegrityError where there is one already."""
        draft = SyncDocument(
            flow_id=flow_id,
            tenant_id=tenant_id,
            epoch=epoch,
            applied_version=version,
            last_seq=1,
            merged_seq=0,
            size=len(seed),
            created_at=now,
            updated_at=now,
        )
        self._session.add(draft)
        await self._session.flush()
        await self._write(flow_id, epoch, 1, [seed])

    async def begin_anew(
        self, draft: SyncDocument, *, epoch: str, version: str, seed: bytes, now: datetime
    ) -> bool:
        """Put a new epoch in the place of the draft's, whose log is gone; False: somebody else did so before."""
        begun = await self._change(
            draft,
            epoch=epoch,
            applied_version=version,
            last_seq=1,
            merged_seq=0,
            size=len(seed),
            updated_at=now,
        )
        if begun:
            await self._session.execute(delete(SyncUpdate).where(SyncUpdate.flow_id == draft.flow_id))
            await self._write(draft.flow_id, epoch, 1, [seed])
        return begun

    async def append(
        self,
        draft: SyncDocument,
        updates: Sequence[bytes],
        *,
        now: datetime,
        versions: tuple[str, str] | None = None,
    ) -> int | None:
        """Add updates, or none, to the log of the draft's epoch; return the number of its last entry.

        None, and nothing changed, when the epoch is over; and, where `versions` (from, to) asks that
        `applied_version` advances with them, when it is not `from` any more.
        """
        values = {
            "flow": draft.flow_id,
            "tenant": draft.tenant_id,
            "of_epoch": draft.epoch,
            "entries": len(updates),
            "bytes": sum(map(len, updates)),
            "now": now,
        }
        if versions is not None:
            values["before"], values["after"] = versions
        changed = await self._session.execute(_appending(advances=versions is not None), values)
        assert isinstance(changed, CursorResult)
        if changed.rowcount != 1:
            return None
        last: int | None = await self._session.scalar(_LAST_SEQ, {"flow": draft.flow_id})
        assert last is not None, "its row was just changed"
        await self._write(draft.flow_id, draft.epoch, last - len(updates) + 1, updates)
        return last

    async def merge(self, draft: SyncDocument, *, seq: int, merged: bytes) -> bool:
        """Put `merged` in the place of the entries up to `seq`, which went into it; False: there is no need to.

        Only what the caller read may be in `merged`, and it must have read all up to `seq`.
        """
        older = (
            SyncUpdate.flow_id == draft.flow_id,
            SyncUpdate.epoch == draft.epoch,
            SyncUpdate.seq <= seq,
        )
        if not await self._change(draft, SyncDocument.merged_seq < seq, merged_seq=seq):
            return False
        freed = await self._session.scalar(select(func.sum(func.length(SyncUpdate.data))).where(*older))
        await self._session.execute(delete(SyncUpdate).where(*older))
        await self._write(draft.flow_id, draft.epoch, seq, [merged])
        return await self._change(draft, size=SyncDocument.size - int(freed or 0) + len(merged))

    async def _change(self, draft: SyncDocument, *same: object, **values: object) -> bool:
        """Change the row of the draft's epoch, and hold its lock; tells whether it was there, and `same`."""
        changed = await self._session.execute(
            update(SyncDocument)
            .where(
                SyncDocument.flow_id == draft.flow_id,
                SyncDocument.tenant_id == draft.tenant_id,
                SyncDocument.epoch == draft.epoch,
                *same,  # type: ignore[arg-type]
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(changed, CursorResult)
        return changed.rowcount == 1

    async def _write(self, flow_id: str, epoch: str, seq: int, updates: Sequence[bytes]) -> None:
        rows = [
            {"flow_id": flow_id, "epoch": epoch, "seq": number, "part": part, "data": data}
            for number, written in enumerate(updates, start=seq)
            for part, data in enumerate(_parts(written))
        ]
        if rows:
            await self._session.execute(_ENTRY, rows)


def name_version(draft: SyncDocument, connection: Connection, version: str) -> bool:
    """Have a draft say that it has a version, which was made of it; False: it was begun anew since it was read.

    Of a version that was made of something else, `Drafts.append` says so, with what the version changed.
    """
    values = {
        "flow": draft.flow_id,
        "tenant": draft.tenant_id,
        "of_epoch": draft.epoch,
        "before": draft.applied_version,
        "after": version,
    }
    return _NAMING.run(connection, values).rowcount == 1


# What is asked for each change of somebody who edits: to build the statements takes longer than to execute them.

_DRAFTS: Final = cast("Table", SyncDocument.__table__)
_DRAFT: Final = _DRAFTS.c
_FIND: Final = Prepared(
    select(_DRAFTS).where(_DRAFT.flow_id == bindparam("flow_id"), _DRAFT.tenant_id == bindparam("tenant_id"))
)
_LAST_SEQ: Final = select(_DRAFT.last_seq).where(_DRAFT.flow_id == bindparam("flow"))
_ENTRY: Final = insert(cast("Table", SyncUpdate.__table__))


_OF_EPOCH: Final = update(_DRAFTS).where(
    _DRAFT.flow_id == bindparam("flow"),
    _DRAFT.tenant_id == bindparam("tenant"),
    _DRAFT.epoch == bindparam("of_epoch"),
)


def _advancing(change: Update) -> Update:
    """Add that a draft has a version, unless it is not at the one before."""
    return change.where(_DRAFT.applied_version == bindparam("before")).values(
        applied_version=bindparam("after")
    )


_NAMING: Final = Prepared(_advancing(_OF_EPOCH))


@cache
def _appending(*, advances: bool) -> Update:
    """Count entries in the row of a draft; with `advances` also a version."""
    counted = _OF_EPOCH.values(
        last_seq=_DRAFT.last_seq + bindparam("entries", type_=_DRAFT.last_seq.type),
        size=_DRAFT.size + bindparam("bytes", type_=_DRAFT.size.type),
        updated_at=bindparam("now"),
    )
    return _advancing(counted) if advances else counted


def _parts(written: bytes) -> list[bytes]:
    return [written[start : start + PART_BYTES] for start in range(0, len(written), PART_BYTES)] or [b""]
