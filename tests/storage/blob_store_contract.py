"""What every object store must do. A subclass has a fixture `store`; keys stay below `folder`."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.storage.blobs import BlobInfo, BlobStore
from scaiflow_api.storage.errors import BlobExists, BlobNotFound

ODD_NAMES = [
    "UPPER",
    "upper",
    "Mixed.Case",
    "with space",
    " around ",
    "ünï-cødé",
    "日本",
    "plus+sign",
    "percent%41",
    "hash#query?and&",
    "quote\"'<>",
    ".hidden",
    "...",
    "trailing.",
    "~tilde",
    "a" * 79,
    "a" * 80,
    "A" * 81,
    "b" * 160,
    "C" * 255,
    "é" * 127,
]
ILLEGAL_KEYS = [
    "",
    "/lead",
    "trail/",
    "a//b",
    ".",
    "a/./b",
    "..",
    "a/../b",
    "nul\0",
    "line\nfeed",
    "back\\slash",
    "s" * 256,
    "é" * 128,
    "/".join(["x" * 200] * 6),
    "lone\ud800",
]
ANY_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


async def listed(store: BlobStore, prefix: str) -> list[BlobInfo]:
    """Return a listing in the order of keys; a store has its own."""
    return sorted([info async for info in store.keys(prefix)], key=lambda info: info.key)


class BlobStoreContract:
    more_than_a_page = 1010

    @pytest.fixture
    def folder(self) -> str:
        return f"t{secrets.token_hex(6)}"

    async def test_what_was_put_can_be_read(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/a/b.json", b"content")
        assert await store.get(f"{folder}/a/b.json") == b"content"

    async def test_a_plain_put_overwrites(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/k", b"first")
        await store.put(f"{folder}/k", b"second")
        assert await store.get(f"{folder}/k") == b"second"

    async def test_a_conditional_put_never_overwrites(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/k", b"first", if_absent=True)
        with pytest.raises(BlobExists):
            await store.put(f"{folder}/k", b"second", if_absent=True)
        assert await store.get(f"{folder}/k") == b"first"

    async def test_a_deleted_key_is_free_again(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/k", b"first", if_absent=True)
        await store.delete(f"{folder}/k")
        await store.put(f"{folder}/k", b"second", if_absent=True)
        assert await store.get(f"{folder}/k") == b"second"

    async def test_reading_what_is_not_there_is_refused(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/a/b", b"")
        for key in (f"{folder}/a/c", f"{folder}/x/y/z", f"{folder}/a/b.json"):
            with pytest.raises(BlobNotFound):
                await store.get(key)

    async def test_delete_may_be_repeated(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/k", b"x")
        await store.delete(f"{folder}/k")
        await store.delete(f"{folder}/k")
        await store.delete(f"{folder}/never/was")
        with pytest.raises(BlobNotFound):
            await store.get(f"{folder}/k")
        assert await listed(store, folder) == []

    async def test_an_empty_body_is_a_body(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/empty", b"", if_absent=True)
        assert await store.get(f"{folder}/empty") == b""
        assert [info.size for info in await listed(store, folder)] == [0]
        with pytest.raises(BlobExists):
            await store.put(f"{folder}/empty", b"", if_absent=True)

    async def test_eight_mebibytes_round_trip(self, store: BlobStore, folder: str) -> None:
        body = secrets.token_bytes(8 * 1024 * 1024)
        await store.put(f"{folder}/big", body, if_absent=True)
        assert await store.get(f"{folder}/big") == body

    @pytest.mark.parametrize("round_", range(5))
    async def test_of_sixteen_creators_one_wins(self, store: BlobStore, folder: str, round_: int) -> None:
        bodies = [f"creator {number}".encode() * 100 for number in range(16)]
        results = await asyncio.gather(
            *(store.put(f"{folder}/{round_}/k", body, if_absent=True) for body in bodies),
            return_exceptions=True,
        )
        winners = [body for body, result in zip(bodies, results, strict=True) if result is None]
        assert len(winners) == 1
        assert sum(isinstance(result, BlobExists) for result in results) == 15
        assert await store.get(f"{folder}/{round_}/k") == winners[0]

    async def test_a_reader_sees_one_whole_body_or_the_other(self, store: BlobStore, folder: str) -> None:
        bodies = [bytes([byte]) * 200_000 for byte in b"ab"]
        await store.put(f"{folder}/k", bodies[0])

        async def write() -> None:
            for number in range(10):
                await store.put(f"{folder}/k", bodies[number % 2])

        async def read() -> set[bytes]:
            return {await store.get(f"{folder}/k") for _ in range(10)}

        _, *seen = await asyncio.gather(write(), read(), read())
        assert set.union(*seen) <= set(bodies)

    @pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
    async def test_an_odd_name_is_kept(self, store: BlobStore, folder: str, name: str) -> None:
        keys = [f"{folder}/{name}/in/{name}", f"{folder}/x/{name}"]
        for key in keys:
            await store.put(key, key.encode(), if_absent=True)
        assert [await store.get(key) for key in keys] == [key.encode() for key in keys]
        assert [info.key for info in await listed(store, folder)] == sorted(keys)

    async def test_names_that_differ_in_case_are_two(self, store: BlobStore, folder: str) -> None:
        for name in ("flow_AB", "flow_ab", "flow_Ab"):
            await store.put(f"{folder}/{name}/v1", name.encode(), if_absent=True)
        assert await store.get(f"{folder}/flow_Ab/v1") == b"flow_Ab"

    @pytest.mark.parametrize("key", ILLEGAL_KEYS, ids=range(len(ILLEGAL_KEYS)))
    async def test_an_illegal_key_is_a_programming_error(self, store: BlobStore, key: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - the sentence is for the programmer
            await store.put(key, b"")
        with pytest.raises(ValueError):  # noqa: PT011
            await store.get(key)
        with pytest.raises(ValueError):  # noqa: PT011
            await store.delete(key)

    @pytest.mark.parametrize("prefix", ["/", "a//", "../", "a/./b", "nul\0"])
    async def test_an_illegal_prefix_is_a_programming_error(self, store: BlobStore, prefix: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            await listed(store, prefix)

    async def test_neighbours_in_the_alphabet_are_all_listed(self, store: BlobStore, folder: str) -> None:
        names = ["a-b", "a.x", "a/c", "a/-", "a/c.d", "a0", "a+b/z", "B", "b/x/y", "é/1", "z z", "ab/é"]
        for name in names:
            await store.put(f"{folder}/{name}", b"")
        assert [info.key for info in await listed(store, folder)] == sorted(f"{folder}/{n}" for n in names)

    async def test_a_prefix_is_text_and_may_end_within_a_name(self, store: BlobStore, folder: str) -> None:
        for name in (
            "flows/acme/f1",
            "flows/acme/f2",
            "flows/acme-eu/f1",
            "flows/globex/f1",
            "catalog/acme/p",
        ):
            await store.put(f"{folder}/{name}", b"")

        async def below(prefix: str) -> list[str]:
            found = await listed(store, f"{folder}/{prefix}")
            return [info.key.removeprefix(f"{folder}/") for info in found]

        assert await below("flows/acme/") == ["flows/acme/f1", "flows/acme/f2"]
        assert await below("flows/acme") == ["flows/acme-eu/f1", "flows/acme/f1", "flows/acme/f2"]
        assert await below("flows/acme/f2") == ["flows/acme/f2"]
        assert await below("c") == ["catalog/acme/p"]
        assert await below("nothing/here/") == []
        assert await below("flows/acme/f1/") == []

    async def test_a_listing_knows_size_and_time(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/k", b"12345")
        (info,) = await listed(store, folder)
        assert (info.key, info.size, info.modified.tzinfo) == (f"{folder}/k", 5, UTC)
        assert abs(datetime.now(UTC) - info.modified) < timedelta(minutes=1)

    async def test_a_listing_of_several_pages_is_whole(self, store: BlobStore, folder: str) -> None:
        keys = [f"{folder}/{number % 7}/{number:04}" for number in range(self.more_than_a_page)]
        for start in range(0, len(keys), 32):
            await asyncio.gather(*(store.put(key, b"x") for key in keys[start : start + 32]))
        assert [info.key for info in await listed(store, f"{folder}/")] == sorted(keys)

    async def test_what_is_listed_may_be_deleted_meanwhile(self, store: BlobStore, folder: str) -> None:
        keys = [f"{folder}/{number % 3}/{number:04}" for number in range(self.more_than_a_page)]
        for start in range(0, len(keys), 32):
            await asyncio.gather(*(store.put(key, b"x") for key in keys[start : start + 32]))
        seen = []
        async for info in store.keys(f"{folder}/"):
            seen.append(info.key)
            if len(seen) % 2:
                await store.delete(info.key)
        assert sorted(seen) == sorted(keys)
        assert [info.key for info in await listed(store, f"{folder}/")] == sorted(seen[1::2])

    async def test_a_listing_may_be_left(self, store: BlobStore, folder: str) -> None:
        for number in range(3):
            await store.put(f"{folder}/{number}/k", b"x")
        async for info in store.keys(f"{folder}/"):
            assert info.size == 1
            break
        assert len(await listed(store, f"{folder}/")) == 3

    async def test_a_sweep_leaves_every_object(self, store: BlobStore, folder: str) -> None:
        await store.put(f"{folder}/k", b"x")
        assert await store.sweep(datetime.now(UTC) + timedelta(days=1)) == 0
        assert await store.get(f"{folder}/k") == b"x"

    async def test_a_usable_store_passes_its_check(self, store: BlobStore) -> None:
        await store.check()

    @settings(max_examples=25, deadline=None, suppress_health_check=ANY_FIXTURE)
    @given(body=st.binary(max_size=5000))
    async def test_any_bytes_round_trip(self, store: BlobStore, folder: str, body: bytes) -> None:
        await store.put(f"{folder}/k", body)
        assert await store.get(f"{folder}/k") == body
