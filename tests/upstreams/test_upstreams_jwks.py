"""Which published keys count, and how long they are remembered."""

import asyncio
from typing import Any

import pytest

from scaiflow_api.auth.tokens import SigningKey
from scaiflow_api.upstreams import jwks
from scaiflow_api.upstreams.errors import ScaiKeyUnavailable
from scaiflow_api.upstreams.failures import UpstreamNonsense, UpstreamUnavailable
from scaiflow_api.upstreams.jwks import KeyCache, read_key_set

N = "u" * 342  # 2048 bits and a little, in base64url
RSA = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa-1", "n": N, "e": "AQAB"}
X, Y = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"
"""The point that P-256 begins with."""
EC = {"kty": "EC", "use": "sig", "alg": "ES256", "kid": "ec-1", "crv": "P-256", "x": X, "y": Y}


def test_usable_keys_are_kept_without_anything_private() -> None:
    keys = read_key_set({"keys": [{**RSA, "d": "private", "p": "private"}, EC]})
    assert keys == {
        "rsa-1": SigningKey(
            kid="rsa-1", algorithm="RS256", jwk={"kty": "RSA", "n": N, "e": "AQAB", "alg": "RS256"}
        ),
        "ec-1": SigningKey(
            kid="ec-1",
            algorithm="ES256",
            jwk={"kty": "EC", "crv": "P-256", "x": X, "y": Y, "alg": "ES256"},
        ),
    }


def test_use_and_alg_may_be_left_out() -> None:
    bare = {name: value for name, value in RSA.items() if name not in {"use", "alg"}}
    assert read_key_set({"keys": [bare]})["rsa-1"].algorithm == "RS256"


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "HS256"},
        {"alg": "PS256"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": ["RSA"]},
        {"kid": ""},
        {"kid": None},
        {"n": "u" * 170},
        {"n": "?" * 342},
        {"n": None},
        {"n": "u" * 3420},
        {"e": 65537},
        {"e": "AQ"},
        {"e": "Ag"},
        {"e": "!"},
        {"e": "é"},
    ],
)
def test_other_keys_are_left_out(change: dict[str, object]) -> None:
    assert read_key_set({"keys": [{**RSA, **change}, EC, "noise"]}).keys() == {"ec-1"}


def test_a_curve_that_es256_does_not_have_is_left_out() -> None:
    assert read_key_set({"keys": [RSA, {**EC, "crv": "P-384"}]}).keys() == {"rsa-1"}


@pytest.mark.parametrize(
    "change", [{"x": Y}, {"x": "eA", "y": "eQ"}, {"x": "A" * 9_000}, {"y": "!"}, {"y": "é"}]
)
def test_a_point_that_is_not_on_the_curve_is_left_out(change: dict[str, str]) -> None:
    assert read_key_set({"keys": [RSA, {**EC, **change}]}).keys() == {"rsa-1"}


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    assert read_key_set({"keys": [{**RSA, "kid": "k"}, {**EC, "kid": "k"}]})["k"].algorithm == "RS256"


@pytest.mark.parametrize(
    "document", [{"keys": []}, {"keys": None}, {}, [], "keys", {"keys": [{**RSA, "use": "enc"}]}]
)
def test_a_set_without_a_usable_key_is_nonsense(document: object) -> None:
    with pytest.raises(UpstreamNonsense):
        read_key_set(document)


class Published:
    """What ScaiKey would publish now, and how often it was asked."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.asked = 0
        self.away = False
        self.gate: asyncio.Event | None = None

    async def fetch(self) -> dict[str, SigningKey]:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise UpstreamUnavailable("scaikey")
        return {kid: SigningKey(kid=kid, algorithm="RS256", jwk={}) for kid in self.kids}


async def settle() -> None:
    """Let what runs in the background run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_known_key_is_answered_from_memory(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    for _ in range(10):
        assert (await cache.find("a")) is not None
    assert published.asked == 1


async def test_many_at_once_ask_once(clock: Any) -> None:
    published = Published("a")
    published.gate = asyncio.Event()
    cache = KeyCache(published.fetch, clock)
    finding = [asyncio.create_task(cache.find("a")) for _ in range(20)]
    await settle()
    published.gate.set()
    assert all(await asyncio.gather(*finding))
    assert published.asked == 1


async def test_who_gives_up_waiting_does_not_stop_the_others(clock: Any) -> None:
    published = Published("a")
    published.gate = asyncio.Event()
    cache = KeyCache(published.fetch, clock)
    impatient, patient = asyncio.create_task(cache.find("a")), asyncio.create_task(cache.find("a"))
    await settle()
    impatient.cancel()
    await settle()
    published.gate.set()
    assert await patient is not None
    assert impatient.cancelled()


async def test_an_old_set_is_refreshed_in_the_background(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.kids = ("b",)
    clock.advance(301)
    published.gate = asyncio.Event()
    assert await cache.find("a") is not None  # answered at once, while ScaiKey is still thinking
    published.gate.set()
    await settle()
    assert published.asked == 2
    assert await cache.find("b") is not None
    assert await cache.find("a") is None  # revoked by rotation
    assert await cache.find("a") is None
    assert published.asked == 3


async def test_after_an_idle_time_a_key_that_was_removed_lets_nobody_in(clock: Any) -> None:
    published = Published("a", "b")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.kids = ("b",)
    clock.advance(3600)
    published.gate = asyncio.Event()
    finding = [asyncio.create_task(cache.find(kid)) for kid in "aabb"]
    await settle()
    published.gate.set()

    found = await asyncio.gather(*finding)

    assert [key.kid if key else None for key in found] == [None, None, "b", "b"]
    assert published.asked == 2


async def test_after_an_idle_time_a_scaikey_that_does_not_answer_is_not_waited_for_long(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "WAIT_FOR_NEWER_S", 0.01)
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    clock.advance(3600)
    published.gate = asyncio.Event()

    assert await asyncio.wait_for(cache.find("a"), 5) is not None

    published.gate.set()
    await cache.close()


async def test_a_new_key_is_found_by_asking_again(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.kids = ("a", "b")
    clock.advance(31)
    assert await cache.find("b") is not None
    assert published.asked == 2


async def test_invented_ids_make_us_ask_at_most_once_in_30_seconds(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    for number in range(100):
        assert await cache.find(f"invented-{number}") is None
    assert published.asked == 2
    clock.advance(31)
    for number in range(100):
        assert await cache.find(f"invented-{number}") is None
    assert published.asked == 3


async def test_a_key_that_signs_right_after_the_keys_were_fetched_is_found(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.kids = ("a", "b")
    clock.advance(1)

    assert await cache.find("b") is not None


async def test_an_answer_from_before_the_key_was_there_is_not_the_last_word(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    clock.advance(301)
    release = asyncio.Event()
    answer = published.fetch

    async def late() -> Any:
        found = await answer()
        await release.wait()
        return found

    cache._fetch = late
    await cache.find("a")
    await settle()  # the answer is on its way
    published.kids = ("a", "b")
    waiting = [asyncio.create_task(cache.find("b")) for _ in range(20)]
    await settle()
    release.set()

    assert all(await asyncio.gather(*waiting))
    assert published.asked == 3


async def test_known_keys_keep_working_while_scaikey_is_away(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.away = True
    for _ in range(5):
        clock.advance(3600)
        assert await cache.find("a") is not None
        await settle()
        with pytest.raises(ScaiKeyUnavailable):
            await cache.find("unknown")
    published.away = False
    clock.advance(31)
    assert await cache.find("unknown") is None


async def test_a_background_refresh_that_fails_is_tried_again_after_30_seconds(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.away = True
    clock.advance(301)
    for _ in range(10):
        await cache.find("a")
        await settle()
    assert published.asked == 2
    clock.advance(31)
    await cache.find("a")
    await settle()
    assert published.asked == 3


async def test_without_any_key_it_asks_again_soon(clock: Any) -> None:
    published = Published("a")
    published.away = True
    cache = KeyCache(published.fetch, clock)
    for _ in range(3):
        with pytest.raises(ScaiKeyUnavailable):
            await cache.find("a")
    assert published.asked == 1
    published.away = False
    clock.advance(1.1)
    assert await cache.find("a") is not None


async def test_a_clock_that_was_set_back_does_not_freeze_the_cache(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.kids = ("a", "b")
    clock.advance(-86_400)
    assert await cache.find("b") is not None


async def test_closing_stops_a_refresh_under_way(clock: Any) -> None:
    published = Published("a")
    cache = KeyCache(published.fetch, clock)
    await cache.find("a")
    published.gate = asyncio.Event()
    clock.advance(301)
    await cache.find("a")
    await settle()
    await cache.close()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
