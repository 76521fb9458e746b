"""A stream of events: in order, once, only what its reader may see, and with an end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.errors import InvalidToken
from scaiflow_api.domains.runs.following import Follower, Happened, Pace
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.failures import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamUnavailable
from scaiflow_api.upstreams.scaigrid_answers import EventPage

Event = dict[str, Any]


def event(number: int, core: str = "core_1") -> Event:
    return {"id": f"evt_{number}", "core_id": core}


@dataclass
class PlayedEvents:
    """A ScaiGrid's log, and the Cores that the reader sees."""

    log: list[Event] = field(default_factory=list)
    gives_cursors: bool = True
    faults: list[UpstreamError] = field(default_factory=list)
    seen: frozenset[str] = frozenset({"core_1"})
    looks: int = 0
    asked: list[str | None] = field(default_factory=list)

    # What `Cores` is asked for.
    async def visible(self, _: Caller, __: str | None) -> frozenset[str]:
        self.looks += 1
        return self.seen

    async def access(self, _: Caller) -> "PlayedEvents":
        return self

    # What `Access` is asked for.
    credential = None

    @property
    def grid(self) -> "PlayedEvents":
        return self

    async def events(self, _: object, *, core_id: str | None, limit: int, cursor: str | None) -> EventPage:
        self.asked.append(cursor)
        if self.faults:
            raise self.faults.pop(0)
        start = int(cursor) if cursor is not None else max(0, len(self.log) - limit)
        found = self.log[start : start + limit]
        behind = str(start + len(found)) if self.gives_cursors else None
        return EventPage(content=b"", events=found, next_cursor=behind)


class Reader:
    def __init__(
        self,
        played: PlayedEvents,
        *,
        cursor: str | None = None,
        look_again_s: float = 60,
        poll_s: float = 0.001,
    ) -> None:
        self.ending = asyncio.Event()
        self.standing: AppError | None = None
        self.caller = Caller(subject="usr_bob", tenant_id="tnt_acme", token=None)  # type: ignore[arg-type]
        self.follower = Follower(
            played,  # type: ignore[arg-type]
            self._identify,
            core_id=None,
            cursor=cursor,
            ending=self.ending,
            pace=Pace(poll_s=poll_s, look_again_s=look_again_s),
        )

    async def _identify(self) -> Caller:
        if self.standing is not None:
            raise self.standing
        return self.caller

    async def stream(self) -> AsyncIterator[Happened]:
        await self.follower.begin(self.caller)
        async for happened in self.follower.events():
            yield happened

    async def read(self, count: int) -> list[str]:
        """Return the ids of the next events."""
        found: list[str] = []
        async with asyncio.timeout(5):
            async for happened in self.stream():
                if happened.event is not None:
                    found.append(orjson.loads(happened.event)["id"])
                if len(found) == count:
                    break
        return found


async def test_a_new_reader_gets_what_happens_from_now_on() -> None:
    played = PlayedEvents([event(1), event(2)])
    reader = Reader(played)
    await reader.follower.begin(reader.caller)
    played.log += [event(3), event(4, "core_hidden"), event(5)]

    found = []
    async for happened in reader.follower.events():
        found.append(happened)
        if happened.cursor == "5":
            break

    assert found == [
        Happened(None, "2"),
        Happened(orjson.dumps(event(3)), None),
        Happened(orjson.dumps(event(5)), "5"),
    ]


async def test_one_that_comes_back_misses_nothing_over_many_pages() -> None:
    played = PlayedEvents([event(number) for number in range(350)])

    assert await Reader(played, cursor="20").read(330) == [f"evt_{number}" for number in range(20, 350)]
    assert played.asked == ["20", "120", "220", "320"]


async def test_while_nothing_happens_scaigrid_is_asked_less_and_less_often() -> None:
    played = PlayedEvents()
    reader = Reader(played, poll_s=0.02)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            async for happened in reader.stream():
                assert happened.event is None

    assert 2 <= len(played.asked) <= 10  # of the 25 that `poll_s` would allow

    played.asked.clear()
    played.log += [event(number) for number in range(300)]
    assert len(await Reader(played, cursor="0", poll_s=0.02).read(300)) == 300


def test_a_pause_grows_to_a_limit_and_begins_anew_with_the_next_event() -> None:
    pace = Pace(poll_s=1.0)
    pauses = [pace.poll_s]
    for _ in range(6):
        pauses.append(pace.after(pauses[-1], quiet=True))

    assert pauses == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0, 5.0]
    assert pace.after(5.0, quiet=False) == 1.0


async def test_progress_is_told_where_nothing_is_to_be_seen() -> None:
    played = PlayedEvents([event(1, "core_hidden")])
    reader = Reader(played, cursor="0")

    found = []
    async for happened in reader.stream():
        found.append(happened)
        if len(found) == 2:
            break

    assert found == [Happened(None, "0"), Happened(None, "1")]


async def test_a_scaigrid_without_cursors_tells_nothing_twice() -> None:
    played = PlayedEvents([event(1)], gives_cursors=False)
    reader = Reader(played)
    stream = reader.stream()
    await anext(stream)
    played.log.append(event(2))
    second = await anext(stream)
    played.log.append(event(3))
    third = await anext(stream)

    assert [second, third] == [Happened(orjson.dumps(event(2)), None), Happened(orjson.dumps(event(3)), None)]


async def test_failures_that_pass_are_waited_out() -> None:
    busy = UpstreamBusy("scaigrid", message=None, body={}, headers={"Retry-After": "0"})
    played = PlayedEvents([event(1)])
    reader = Reader(played, cursor="0")
    await reader.follower.begin(reader.caller)
    played.faults = [busy] * 4
    played.log.append(event(2))

    found = []
    async for happened in reader.follower.events():
        if happened.event is not None:
            found.append(orjson.loads(happened.event)["id"])
        if len(found) == 2:
            break
    assert found == ["evt_1", "evt_2"]


@pytest.mark.parametrize(
    ("fault", "times", "error"),
    [
        (UpstreamRejected("scaigrid", status=401, code=None, message=None), 1, "scaigrid_auth"),
        (UpstreamBusy("scaigrid", message=None, body={}, headers={"Retry-After": "0"}), 5, "scaigrid_busy"),
    ],
)
async def test_failures_that_stay_end_the_stream(fault: UpstreamError, times: int, error: str) -> None:
    played = PlayedEvents()
    reader = Reader(played, cursor="0")
    await reader.follower.begin(reader.caller)
    played.faults = [fault] * times

    with pytest.raises(AppError) as ended:
        async for _ in reader.follower.events():
            pass
    assert ended.value.error == error
    assert played.faults == []


async def test_what_is_wrong_at_the_start_is_raised_at_once() -> None:
    reader = Reader(PlayedEvents(faults=[UpstreamUnavailable("scaigrid", status=500)]))

    with pytest.raises(UpstreamUnavailable):
        await reader.follower.begin(reader.caller)


async def test_who_may_see_what_is_looked_at_again() -> None:
    played = PlayedEvents([event(1)])
    reader = Reader(played, cursor="0", look_again_s=0)
    stream = reader.stream()
    assert (await anext(stream)).event is None
    assert (await anext(stream)).event is not None
    played.seen = frozenset()
    played.log.append(event(2))
    assert await anext(stream) == Happened(None, "2")

    reader.standing = InvalidToken(reason="expired")
    with pytest.raises(InvalidToken):
        await anext(stream)


async def test_what_a_core_does_that_was_deployed_a_moment_ago_is_not_lost() -> None:
    played = PlayedEvents()
    reader = Reader(played)
    await reader.follower.begin(reader.caller)
    played.seen |= {"core_new"}
    played.log += [event(1, "core_new"), event(2)]

    found = []
    async with asyncio.timeout(5):
        async for happened in reader.follower.events():
            if happened.event is not None:
                found.append(orjson.loads(happened.event)["id"])
            if len(found) == 2:
                break
    assert found == ["evt_1", "evt_2"]


async def test_a_core_that_is_deployed_while_the_stream_begins_is_not_lost() -> None:
    class Deploying(PlayedEvents):
        async def events(
            self, _: object, *, core_id: str | None, limit: int, cursor: str | None
        ) -> EventPage:
            self.seen |= {"core_new"}
            return await super().events(_, core_id=core_id, limit=limit, cursor=cursor)

    played = Deploying([event(1, "core_new"), event(2)])
    assert await Reader(played, cursor="0").read(2) == ["evt_1", "evt_2"]


async def test_cores_that_stay_hidden_are_not_looked_at_for_each_of_their_events() -> None:
    played = PlayedEvents()
    reader = Reader(played)
    await reader.follower.begin(reader.caller)
    looks = []
    async with asyncio.timeout(5):
        async for happened in reader.follower.events():
            looks.append(played.looks)
            if happened.event is not None:
                break
            number = len(played.log) + 1
            hidden = "core_hidden" if number % 2 else "core_hidden_too"
            played.log.append(event(number, hidden if number < 7 else "core_1"))
    assert looks == [1, 2, 3, 3, 3, 3, 3, 3]


async def test_who_is_suspended_while_scaigrid_is_asked_is_sent_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = PlayedEvents([event(1)])
    reader = Reader(played, cursor="0")  # which flows they may see is not looked at again so soon
    stream = reader.stream()
    await anext(stream)
    assert (await anext(stream)).event is not None
    ask = PlayedEvents.events

    async def answers_late(self: PlayedEvents, *arguments: Any, **more: Any) -> EventPage:
        reader.standing = InvalidToken(reason="suspended")
        played.log.append(event(2))
        return await ask(self, *arguments, **more)

    monkeypatch.setattr(PlayedEvents, "events", answers_late)
    with pytest.raises(InvalidToken):
        await anext(stream)


async def test_a_reader_that_does_not_read_makes_nothing_pile_up() -> None:
    played = PlayedEvents([event(number) for number in range(1000)])
    stream = Reader(played, cursor="0").stream()
    await anext(stream)
    await anext(stream)
    await asyncio.sleep(0.05)

    assert played.asked == ["0"]


async def test_the_end_of_the_process_ends_it() -> None:
    played = PlayedEvents()
    reader = Reader(played, cursor="0")
    stream = reader.stream()
    await anext(stream)
    asyncio.get_running_loop().call_later(0.02, reader.ending.set)

    async with asyncio.timeout(2):
        assert [happened async for happened in stream] == []
