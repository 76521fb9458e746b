"""The interface of presence: who has a flow open."""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

TTL_S: Final = 30
"""Seconds after a heartbeat in which its sender counts as here."""
MOST_PEOPLE: Final = 100
"""People kept for one flow: those seen last."""

Who: TypeAlias = tuple[str, str]
"""A principal: the id of the tenant and that of the user, which is unique only within it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has a flow open, as their canvas introduces them."""

    tenant_id: str
    user_id: str
    display_name: str
    color: str

    @property
    def who(self) -> Who:
        return self.tenant_id, self.user_id


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody who is here, and how long ago their last heartbeat came."""

    person: Person
    ago_s: float


class Presence(Protocol):
    """Who has which flow open. It decides nothing: who may announce themselves and look is the caller's question.

    Any method raises `PresenceUnavailable`, within seconds, when the keeper cannot do its work.
    """

    async def announce(self, tenant_id: str, flow_id: str, person: Person) -> None:
        """Keep a heartbeat for `TTL_S` seconds, in place of the same person's last one.

        Beyond `MOST_PEOPLE` the person seen longest ago makes room.
        """
        ...

    async def peers(self, tenant_id: str, flow_id: str) -> list[Peer]:
        """Return whose heartbeat is younger than `TTL_S` seconds, in no order."""
        ...

    async def leave(self, tenant_id: str, flow_id: str, who: Who) -> None:
        """Forget somebody; nothing happens when they are not here."""
        ...

    async def check(self) -> None:
        """Return when the keeper can be used."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
