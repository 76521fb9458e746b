"""The log of a draft: begun once, in order whoever adds to it, shortened without loss."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.drafts import PART_BYTES, Drafts, Entry
from scaiflow_api.db.models.draft import SyncDocument, SyncUpdate
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database

NOW = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)
TENANT, FLOW = "tnt_acme", "flow_one"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=5)
    async with database.write() as session:
        session.add(
            Flow(
                id=FLOW,
                tenant_id=TENANT,
                owner_id="usr_bob",
                name="One",
                description="",
                version="1.0.0",
                created_at=NOW,
                updated_at=NOW,
            )
        )
    yield database
    await database.close()


async def begin(db: Database, epoch: str = "ep_1", seed: bytes = b"seed") -> None:
    async with db.write() as session:
        await Drafts(session).begin(TENANT, FLOW, epoch=epoch, version="1.0.0", seed=seed, now=NOW)


async def found(db: Database, tenant_id: str = TENANT) -> SyncDocument:
    async with db.read() as session:
        draft = await Drafts(session).find(tenant_id, FLOW)
    assert draft is not None
    return draft


async def append(
    db: Database, draft: SyncDocument, *updates: bytes, versions: tuple[str, str] | None = None
) -> int | None:
    async with db.write() as session:
        return await Drafts(session).append(draft, updates, now=NOW, versions=versions)


async def log(db: Database, draft: SyncDocument, after: int = 0) -> list[Entry]:
    async with db.read() as session:
        return await Drafts(session).entries(draft, after=after)


async def test_of_all_who_begin_at_once_one_does(db: Database) -> None:
    answers = await asyncio.gather(
        *(begin(db, f"ep_{number}", f"seed {number}".encode()) for number in range(5)), return_exceptions=True
    )

    lost = [answer for answer in answers if answer is not None]
    assert [type(answer) for answer in lost] == [IntegrityError] * 4
    draft = await found(db)
    assert await log(db, draft) == [Entry(1, f"seed {draft.epoch[3:]}".encode())]


async def test_other_tenants_have_no_such_draft(db: Database) -> None:
    await begin(db)

    async with db.read() as session:
        assert await Drafts(session).find("tnt_globex", FLOW) is None


async def test_entries_are_numbered_without_gaps_whoever_adds_them(db: Database) -> None:
    await begin(db)
    draft = await found(db)

    lasts = await asyncio.gather(*(append(db, draft, b"a%d" % n, b"b%d" % n) for n in range(10)))

    assert sorted(last for last in lasts if last) == list(range(3, 22, 2))
    entries = await log(db, draft)
    assert [entry.seq for entry in entries] == list(range(1, 22))
    by_seq = {entry.seq: entry.update for entry in entries}
    for number, last in enumerate(lasts):
        assert last is not None
        assert (by_seq[last - 1], by_seq[last]) == (b"a%d" % number, b"b%d" % number)
    assert await log(db, draft, after=20) == [Entry(21, by_seq[21])]
    assert (await found(db)).size == sum(len(entry.update) for entry in entries)


async def test_what_was_seen_has_nothing_before_it_that_comes_later(db: Database) -> None:
    """A reader that goes on from the last entry it saw misses none, while others write."""
    await begin(db)
    draft = await found(db)
    seen = [1]

    async def read() -> None:
        while seen[-1] < 31:
            seen.extend(entry.seq for entry in await log(db, draft, after=seen[-1]))
            await asyncio.sleep(0)

    await asyncio.gather(read(), *(append(db, draft, b"x") for _ in range(30)))

    assert seen == list(range(1, 32))


async def test_a_large_entry_comes_back_whole(db: Database) -> None:
    large = bytes(range(256)) * (PART_BYTES // 256 * 2) + b"rest"
    await begin(db, seed=large)
    draft = await found(db)
    await append(db, draft, b"small", large)

    assert await log(db, draft) == [Entry(1, large), Entry(2, b"small"), Entry(3, large)]


async def test_the_applied_version_advances_once_and_only_from_what_it_was(db: Database) -> None:
    await begin(db)
    draft = await found(db)

    answers = await asyncio.gather(
        *(append(db, draft, b"to %d" % n, versions=("1.0.0", f"1.0.{n}")) for n in range(1, 4))
    )

    assert sorted(answers, key=str) == [2, None, None]
    entries = await log(db, draft)
    assert len(entries) == 2
    assert (await found(db)).applied_version == "1.0." + entries[1].update.decode()[-1]
    assert await append(db, draft, b"late", versions=("1.0.0", "1.0.9")) is None


async def test_merging_takes_away_what_went_into_it_and_nothing_else(db: Database) -> None:
    await begin(db)
    draft = await found(db)
    await append(db, draft, b"two", b"three", b"four")

    async with db.write() as session:
        assert await Drafts(session).merge(draft, seq=3, merged=b"seed two three")

    assert await log(db, draft) == [Entry(3, b"seed two three"), Entry(4, b"four")]
    now = await found(db)
    assert (now.size, now.last_seq, now.merged_seq) == (len(b"seed two threefour"), 4, 3)
    # A reader that had seen the second entry gets all that it lacks.
    assert [entry.seq for entry in await log(db, draft, after=2)] == [3, 4]


async def test_who_merged_less_than_another_changes_nothing(db: Database) -> None:
    await begin(db)
    draft = await found(db)
    await append(db, draft, b"two", b"three")
    async with db.write() as session:
        assert await Drafts(session).merge(draft, seq=3, merged=b"all")
    async with db.write() as session:
        assert not await Drafts(session).merge(draft, seq=2, merged=b"some")

    assert await log(db, draft) == [Entry(3, b"all")]


async def test_an_ended_epoch_takes_nothing_more(db: Database) -> None:
    await begin(db)
    old = await found(db)
    await append(db, old, b"edit")
    async with db.write() as session:
        assert await Drafts(session).begin_anew(old, epoch="ep_2", version="1.0.3", seed=b"new", now=NOW)

    assert await append(db, old, b"late") is None
    async with db.write() as session:
        assert not await Drafts(session).merge(old, seq=2, merged=b"late")
        assert not await Drafts(session).begin_anew(old, epoch="ep_3", version="1.0.3", seed=b"x", now=NOW)
    assert await log(db, old) == []
    new = await found(db)
    assert (new.epoch, new.applied_version, await log(db, new)) == ("ep_2", "1.0.3", [Entry(1, b"new")])
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(SyncUpdate)) == 1
