"""Compares editing together with two others: `python -m benchmarks.coediting [--short] [--postgres]`.

Takes about four minutes, with `--short` one; both cores should be free. All servers run at the same time and take
turns, so that what else the machine does meets all alike. The peers keep documents in memory alone; ours commits each
update to its database before it shows it to anybody.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.coediting import propagation, stalling
from benchmarks.coediting.contenders import Contender, hocuspocus, ours, signed_in, y_websocket_server
from benchmarks.coediting.driver import driving
from benchmarks.coediting.node import install, version_of
from benchmarks.coediting.propagation import JOIN_EVERY_MS, PER_SECOND, Laps, Side
from benchmarks.coediting.sizes import NODES, measured
from benchmarks.databases import DATABASES

LARGE = 4_000
"""Nodes of a flow whose draft takes 2 MB."""
OBSERVERS = (1, 50, 200)


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.coediting")
    asked.add_argument("--short", action="store_true", help="a first look, in less than a minute")
    asked.add_argument("--postgres", action="store_true", help="ours on PostgreSQL as well")
    options = asked.parse_args()
    install()
    databases = list(DATABASES) if options.postgres else ["SQLite"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        token = stack.enter_context(signed_in(folder))
        scaiflows = []
        for name in databases:
            place = folder / name
            place.mkdir()
            url = stack.enter_context(DATABASES[name](place))
            scaiflows.append(ours(f"ScaiFlow, {name}", token, url))
        contenders = [*scaiflows, hocuspocus(), y_websocket_server()]
        print(
            f"Hocuspocus {version_of('@hocuspocus/server')}, @y/websocket-server {version_of('@y/websocket-server')}"
        )
        small, large = _drafts(scaiflows[0], folder)
        _sizes(contenders, small, short=options.short)
        with ExitStack() as started:
            sides = [_side(started, contender, large) for contender in contenders]
            _propagation(sides, large, short=options.short)
            _stalling(sides, small, short=options.short)


def _drafts(scaiflow: Contender, folder: Path) -> tuple[Path, Path]:
    """Write the drafts of a small and a large flow into files, for the peers to hold."""
    files = folder / "small.draft", folder / "large.draft"
    with scaiflow.start() as target, driving(target) as driver:
        for file, nodes in zip(files, (NODES, LARGE), strict=True):
            (room,) = target.make_rooms(1, nodes)
            driver.ask("fetch", room=room, file=str(file))
    return files


def _sizes(contenders: Sequence[Contender], small: Path, *, short: bool) -> None:
    connections, rooms = (150, 20) if short else (600, 40)
    print(
        f"\n{connections} idle connections to one room; {rooms} rooms of {small.stat().st_size:,} bytes each"
    )
    print(f"  {'':22} connections/s   kB a connection   kB a room")
    for contender in contenders:
        sizes = measured(contender, small, connections=connections, rooms=rooms)
        print(
            f"  {contender.name:22} {sizes.per_second:13.0f} {sizes.connection_kb:17.1f} {sizes.room_kb:11.0f}"
        )


def _propagation(sides: Sequence[Side], large: Path, *, short: bool) -> None:
    seconds, rounds = (2.0, 1) if short else (2.5, 2)
    print(
        f"\na draft of {large.stat().st_size:,} bytes, {PER_SECOND} updates a second; joined every {JOIN_EVERY_MS} ms"
    )
    print(f"  {'':22} observers            p50 ms   p99 ms   undelivered   processor, µs/update   a join, ms")
    for observers in OBSERVERS:
        found = propagation.compared(sides, observers=observers, seconds=seconds, rounds=rounds)
        for (name, joined), laps in sorted(found.items(), key=lambda item: item[0][1]):
            print(f"  {name:22} {observers:4} {'while joined' if joined else 'idle':14} {_line(laps)}")


def _stalling(sides: Sequence[Side], small: Path, *, short: bool) -> None:
    observers, size = stalling.OBSERVERS, stalling.BYTES
    print(
        f"\none of {observers + 1} observers reads no more; {PER_SECOND} updates of {size:,} bytes a second"
    )
    print(f"  {'':22} p50, p99 ms before        with it   undelivered   waited, MB   closed with")
    for side in sides:
        (room,) = side.target.make_rooms(1, NODES)
        if not side.target.is_filled:
            side.joining.ask("fill", rooms=[room], file=str(small))
        found = stalling.compared(
            side.target, side.watching, side.joining, room, seconds=4.0 if short else 6.0
        )
        before, meanwhile = found.before, found.meanwhile
        laps = "   ".join(
            f"{of.percentile_ms(50):6.1f} {of.percentile_ms(99):6.1f}" for of in (before, meanwhile)
        )
        undelivered = before.undelivered + meanwhile.undelivered
        closed = found.closed or "not closed"
        print(f"  {side.target.name:22}  {laps} {undelivered:13} {found.waited_mb:12.0f}   {closed}")


def _side(stack: ExitStack, contender: Contender, large: Path) -> Side:
    target = stack.enter_context(contender.start())
    watching, joining = (stack.enter_context(driving(target)) for _ in range(2))
    (room,) = target.make_rooms(1, LARGE)
    if not target.is_filled:
        joining.ask("fill", rooms=[room], file=str(large))
    return Side(target, watching, joining, room)


def _line(laps: Laps) -> str:
    joins = f"{median(laps.join_ms):12.0f}" if laps.join_ms else ""
    return (
        f"{laps.percentile_ms(50):8.2f} {laps.percentile_ms(99):8.2f} {laps.undelivered:13} "
        f"{laps.processor_us:22.1f} {joins}"
    )


main()
