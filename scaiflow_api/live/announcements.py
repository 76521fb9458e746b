"""Telling the other processes that something happened, now and without promise.

Nothing may rest on an announcement: it may be lost, and the receiver looks for itself now and then. It only makes
things quick.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

Receive: TypeAlias = Callable[[bytes], None]


class Announcements(Protocol):
    """Topics with receivers, in this process and in others. No method waits for another process, or raises."""

    def publish(self, topic: str, message: bytes) -> None:
        """Hand a message to all receivers of a topic: those in this process at once."""
        ...

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Call `receive` with every message of a topic from now on; it must be quick."""
        ...

    def unsubscribe(self, topic: str, receive: Receive) -> None:
        """Undo `subscribe`."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class ProcessAnnouncements:
    """Announcements within this process: the default, for an installation that runs only one."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receive]] = {}

    @property
    def topics(self) -> list[str]:
        """The topics that have receivers."""
        return list(self._receivers)

    def publish(self, topic: str, message: bytes) -> None:
        for receive in list(self._receivers.get(topic, ())):
            receive(message)

    def subscribe(self, topic: str, receive: Receive) -> None:
        self._receivers.setdefault(topic, []).append(receive)

    def unsubscribe(self, topic: str, receive: Receive) -> None:
        left = [other for other in self._receivers.get(topic, ()) if other != receive]
        if left:
            self._receivers[topic] = left
        else:
            self._receivers.pop(topic, None)

    async def close(self) -> None:
        """Do nothing: memory needs no closing."""
