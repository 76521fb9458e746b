"""Opens presence, announcements and rate limits, in memory or in Redis, as the settings say."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from scaiflow_api.live.announcements import Announcements, ProcessAnnouncements
from scaiflow_api.live.errors import LiveNotUsable
from scaiflow_api.live.in_process import ProcessPresence
from scaiflow_api.live.presence import Presence
from scaiflow_api.live.rate import ProcessRate, Rate

_ADDRESS: Final = re.compile(r"rediss?://[^/?#]+(/[0-9]*)?(\?.*)?")


def open_presence(redis_url: str | None) -> Presence:
    """Keep presence in the Redis of an address, else in this process. The caller closes it.

    Raises `LiveNotUsable`, whose sentence never repeats the address: it may hold a password.
    """
    if redis_url is None:
        return ProcessPresence()
    with _usable(redis_url):
        from scaiflow_api.live.in_redis import RedisPresence  # noqa: PLC0415 - 0.2 s that most do not need

        return RedisPresence(redis_url)


def open_announcements(redis_url: str | None) -> Announcements:
    """Announce through the Redis of an address, else within this process. The caller closes it.

    Raises `LiveNotUsable` as `open_presence` does.
    """
    if redis_url is None:
        return ProcessAnnouncements()
    with _usable(redis_url):
        from scaiflow_api.live.announcements_in_redis import RedisAnnouncements  # noqa: PLC0415 - the same

        return RedisAnnouncements(redis_url)


def open_rate(redis_url: str | None, name: str, per_minute: int) -> Rate:
    """Count turns in the Redis of an address, else in this process. The caller closes it.

    Raises `LiveNotUsable` as `open_presence` does.
    """
    if redis_url is None:
        return ProcessRate(per_minute)
    with _usable(redis_url):
        from scaiflow_api.live.rate_in_redis import RedisRate  # noqa: PLC0415 - the same

        return RedisRate(redis_url, name, per_minute)


@contextmanager
def _usable(redis_url: str) -> Iterator[None]:
    if not _ADDRESS.fullmatch(redis_url):
        raise _refused("it is not written redis://[[USER]:PASSWORD@]HOST:PORT/NUMBER")
    try:
        yield
    except (ValueError, TypeError):
        raise _refused("its port or one of its options is none") from None


def _refused(reason: str) -> LiveNotUsable:
    return LiveNotUsable(f"SCAIFLOW_REDIS_URL cannot be used: {reason}.")
