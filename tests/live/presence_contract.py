"""What every keeper of presence must do. A subclass has the fixtures `presence`, and `pass_time`, which ages all."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import pytest

from scaiflow_api.live.presence import MOST_PEOPLE, TTL_S, Person, Presence

ALICE = Person("tnt_acme", "usr_alice", "Alice", "#a4ff32")
BOB = Person("tnt_acme", "usr_bob", "Bob", "#3284ff")
ODD_TEXTS = ["日本 ünï", "quote\"'\\", "17 42", " [1]{2} ", "%d %s", "x" * 100, "<b>&amp;</b>", "🙂"]

PassTime = Callable[[float], Awaitable[None]]


def person(number: int) -> Person:
    return Person("tnt_acme", f"usr_{number}", f"Person {number}", "#000000")


async def here(presence: Presence, flow: str, tenant: str = "tnt_acme") -> set[Person]:
    return {peer.person for peer in await presence.peers(tenant, flow)}


class PresenceContract:
    @pytest.fixture
    def flow(self) -> str:
        return f"flow_{secrets.token_hex(6)}"

    async def test_who_announced_themselves_is_here(self, presence: Presence, flow: str) -> None:
        await presence.announce("tnt_acme", flow, ALICE)
        await presence.announce("tnt_acme", flow, BOB)

        assert await here(presence, flow) == {ALICE, BOB}

    async def test_nobody_is_where_nobody_was(self, presence: Presence, flow: str) -> None:
        assert await presence.peers("tnt_acme", flow) == []

    async def test_the_last_introduction_counts(self, presence: Presence, flow: str) -> None:
        renamed = Person(*ALICE.who, "Alice B.", "#ffffff")
        await presence.announce("tnt_acme", flow, ALICE)
        await presence.announce("tnt_acme", flow, renamed)

        assert await here(presence, flow) == {renamed}

    async def test_a_heartbeat_counts_for_its_time_and_no_longer(
        self, presence: Presence, flow: str, pass_time: PassTime
    ) -> None:
        await presence.announce("tnt_acme", flow, ALICE)
        await pass_time(TTL_S - 5)
        (peer,) = await presence.peers("tnt_acme", flow)
        assert TTL_S - 5 <= peer.ago_s < TTL_S

        await pass_time(5)
        assert await presence.peers("tnt_acme", flow) == []

    async def test_another_heartbeat_prolongs_it(
        self, presence: Presence, flow: str, pass_time: PassTime
    ) -> None:
        await presence.announce("tnt_acme", flow, ALICE)
        await presence.announce("tnt_acme", flow, BOB)
        await pass_time(TTL_S - 5)
        await presence.announce("tnt_acme", flow, ALICE)
        await pass_time(10)

        assert await here(presence, flow) == {ALICE}

    async def test_who_leaves_is_gone_at_once(self, presence: Presence, flow: str) -> None:
        await presence.announce("tnt_acme", flow, ALICE)
        await presence.announce("tnt_acme", flow, BOB)
        await presence.leave("tnt_acme", flow, ALICE.who)
        await presence.leave("tnt_acme", flow, ALICE.who)

        assert await here(presence, flow) == {BOB}

    async def test_flows_and_tenants_are_apart(self, presence: Presence, flow: str) -> None:
        await presence.announce("tnt_acme", flow, ALICE)
        await presence.announce("tnt_acme", f"{flow}2", BOB)

        assert await here(presence, flow) == {ALICE}
        assert await here(presence, flow, tenant="tnt_globex") == set()

    async def test_the_same_name_in_two_tenants_is_two_people(self, presence: Presence, flow: str) -> None:
        namesake = Person("tnt_platform", "usr_alice", "Alice", "#a4ff32")
        await presence.announce("tnt_acme", flow, ALICE)
        await presence.announce("tnt_acme", flow, namesake)
        await presence.leave("tnt_acme", flow, ALICE.who)

        assert await here(presence, flow) == {namesake}

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    async def test_any_text_is_kept_as_it_is(self, presence: Presence, flow: str, text: str) -> None:
        odd = Person(f"tnt {text}", f"usr {text}", text, "#000000")
        await presence.announce(f"tnt {text}", f"{flow} {text}", odd)

        assert await here(presence, f"{flow} {text}", tenant=f"tnt {text}") == {odd}

    async def test_a_crowd_keeps_those_seen_last(
        self, presence: Presence, flow: str, pass_time: PassTime
    ) -> None:
        for number in range(3):
            await presence.announce("tnt_acme", flow, person(number))
        await pass_time(1)
        await presence.announce("tnt_acme", flow, person(0))
        for number in range(3, MOST_PEOPLE + 2):
            await presence.announce("tnt_acme", flow, person(number))

        kept = {0, *range(3, MOST_PEOPLE + 2)}
        assert await here(presence, flow) == {person(number) for number in kept}

    async def test_many_at_once_are_all_here(self, presence: Presence, flow: str) -> None:
        people = {person(number) for number in range(MOST_PEOPLE)}
        await asyncio.gather(*(presence.announce("tnt_acme", flow, someone) for someone in people))

        assert await here(presence, flow) == people

    async def test_a_usable_keeper_passes_its_check(self, presence: Presence) -> None:
        await presence.check()
