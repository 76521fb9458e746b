"""What a connection and a room cost: memory, and the time to open them."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.coediting.contenders import Contender
from benchmarks.coediting.driver import Driver, driving

NODES = 50
"""Of the flow in each room."""
_FIRST = 100
"""Connections that are not counted: with them a server does what it does once."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one server."""

    per_second: float
    """Connections that are opened and told all that their room has."""
    connection_kb: float
    room_kb: float
    """Of a room with one connection in it, without that."""


def measured(contender: Contender, update: Path, *, connections: int, rooms: int) -> Sizes:
    """Start a server for each of the two; `update` is what a room of the peers is filled with."""
    with contender.start() as target, driving(target) as driver:
        (room,) = target.make_rooms(1, NODES)
        _fill(driver, [room], update, filled=target.is_filled)
        driver.ask("open", rooms=[room] * _FIRST)
        before = target.footprint()
        seconds = driver.ask("open", rooms=[room] * connections)["seconds"]
        connection_kb = (target.footprint().kilobytes - before.kilobytes) / connections
    with contender.start() as target, driving(target) as driver:
        first, *others = target.make_rooms(rooms + 1, NODES)
        _fill(driver, [first], update, filled=target.is_filled)
        driver.ask("open", rooms=[first] * _FIRST)
        before = target.footprint()
        if target.is_filled:
            driver.ask("open", rooms=others)
        else:
            driver.ask("fill", rooms=others, file=str(update))  # who fills a room stays in it
        room_kb = (target.footprint().kilobytes - before.kilobytes) / rooms - connection_kb
    return Sizes(connections / seconds, connection_kb, room_kb)


def _fill(driver: Driver, rooms: list[str], update: Path, *, filled: bool) -> None:
    if not filled:
        driver.ask("fill", rooms=rooms, file=str(update))
