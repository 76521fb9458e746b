"""A key has one holder, then one answer, and after its time it is gone."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from scaiflow_api.db.idempotency_keys import IdempotencyKeys, KeptAnswer, KeyInUse, KeyOfAnother, Place
from scaiflow_api.db.models.idempotency_key import IdempotencyKey
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.db.session import Database

PLACE = Place("tnt_acme", "usr_bob", "POST /flows", "key-1")
ANSWER = KeptAnswer(201, [("etag", '"1"'), ("content-type", "text/plain")], b"\x00line\nand\xff")


@pytest.fixture
def keys(db: Database) -> IdempotencyKeys:
    return IdempotencyKeys(db)


async def expire(db: Database) -> None:
    async with db.write() as session:
        await session.execute(update(IdempotencyKey).values(expires_ms=1))


async def claim(keys: IdempotencyKeys, place: Place = PLACE) -> HeldLease:
    held = await keys.claim(place, "a")
    assert isinstance(held, HeldLease)
    return held


async def test_of_many_at_once_one_gets_the_key(keys: IdempotencyKeys, db: Database) -> None:
    for _ in range(3):  # first without a row, then with one that ran out
        claims = await asyncio.gather(*(keys.claim(PLACE, "a") for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(claimed, HeldLease) for claimed in claims) == 1
        assert sum(isinstance(claimed, KeyInUse) for claimed in claims) == 19
        await expire(db)


async def test_an_answer_comes_back_as_it_was(keys: IdempotencyKeys) -> None:
    await keys.keep(PLACE, await claim(keys), ANSWER)
    assert await keys.claim(PLACE, "a") == ANSWER
    with pytest.raises(KeyOfAnother):
        await keys.claim(PLACE, "b")


async def test_an_answer_without_a_body_differs_from_an_empty_one(keys: IdempotencyKeys) -> None:
    for number, body in enumerate((None, b"")):
        place = Place("tnt_acme", "usr_bob", "POST /flows", f"key-{number}")
        await keys.keep(place, await claim(keys, place), KeptAnswer(204, [], body))
        assert await keys.claim(place, "a") == KeptAnswer(204, [], body)


async def test_places_that_differ_in_one_part_do_not_meet(keys: IdempotencyKeys) -> None:
    for place in (
        PLACE,
        Place("tnt_globex", "usr_bob", "POST /flows", "key-1"),
        Place("tnt_acme", "usr_erin", "POST /flows", "key-1"),
        Place("tnt_acme", "usr_bob", "PUT /flows", "key-1"),
        Place("tnt_acme", "usr_bob", "POST /flows", "KEY-1"),
        Place("tnt_acme", "usr_bobPOST", " /flows", "key-1"),
    ):
        assert await claim(keys, place)


async def test_who_lost_the_key_can_neither_renew_nor_answer_nor_release(
    keys: IdempotencyKeys, db: Database
) -> None:
    lost = await claim(keys)
    await expire(db)
    winner = await claim(keys)

    assert not await keys.renew(PLACE, lost)
    await keys.keep(PLACE, lost, KeptAnswer(500, [], b""))
    await keys.release(PLACE, lost)

    assert await keys.renew(PLACE, winner)
    await keys.keep(PLACE, winner, ANSWER)
    assert await keys.claim(PLACE, "a") == ANSWER


async def test_whose_time_ran_out_unnoticed_still_answers(keys: IdempotencyKeys, db: Database) -> None:
    held = await claim(keys)
    await expire(db)

    await keys.keep(PLACE, held, ANSWER)

    assert await keys.claim(PLACE, "a") == ANSWER


async def test_what_is_given_back_is_free_for_any_request(keys: IdempotencyKeys) -> None:
    await keys.release(PLACE, await claim(keys))

    assert isinstance(await keys.claim(PLACE, "b"), HeldLease)


async def test_only_what_ran_out_is_removed(keys: IdempotencyKeys, db: Database) -> None:
    for number in range(5):
        await claim(keys, Place("tnt_acme", f"usr_{number}", "POST /flows", "key"))
    await expire(db)
    await keys.keep(PLACE, await claim(keys), ANSWER)

    assert [await keys.remove_expired(at_most=3) for _ in range(3)] == [3, 2, 0]

    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(IdempotencyKey)) == 1
    assert await keys.claim(PLACE, "a") == ANSWER
