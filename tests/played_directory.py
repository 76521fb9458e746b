"""A ScaiKey directory for tests: people and groups in memory, listed as the client lists them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaikey_rows import DirectoryGroup, DirectoryMember, DirectoryUser

_Row = TypeVar("_Row")


@dataclass
class PlayedDirectory:
    """Takes the place of `ScaiKeyDirectory`. `on_list` is called before each list, with its name."""

    users: dict[tuple[str, str], DirectoryUser] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """Groups, by tenant and id."""
    inside: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Ids of the direct members of each group: users, and groups that begin with `grp_`."""
    refused: set[str] = field(default_factory=set)
    """Lists that answer 403."""
    missing: set[str] = field(default_factory=set)
    """Lists that answer 404."""
    on_list: Callable[[str], Awaitable[None]] | None = None
    page: int = 3

    def add_user(
        self, user_id: str, tenant_id: str = "tnt_acme", *, status: str = "ACTIVE", name: str | None = None
    ) -> None:
        email = f"{user_id[4:]}@{tenant_id[4:]}.example"
        self.users[tenant_id, user_id] = DirectoryUser(
            tenant_id, user_id, email, name or user_id.title(), status
        )

    def add_group(
        self, group_id: str, *members: str, tenant_id: str = "tnt_acme", name: str | None = None
    ) -> None:
        self.names[tenant_id, group_id] = name or group_id.title()
        self.inside[tenant_id, group_id] = set(members)

    async def tenants(self) -> AsyncIterator[Sequence[str]]:
        await self._begin("tenants")
        for page in self._pages(sorted({tenant for tenant, _ in [*self.users, *self.names]})):
            yield page

    async def effective_users(self, tenant_id: str) -> AsyncIterator[Sequence[DirectoryUser]]:
        await self._begin("effective_users")
        for page in self._pages([user for (tenant, _), user in self.users.items() if tenant == tenant_id]):
            yield page

    async def groups(self) -> AsyncIterator[Sequence[DirectoryGroup]]:
        await self._begin("groups")
        for page in self._pages([DirectoryGroup(*key, name) for key, name in self.names.items()]):
            yield page

    async def members(self, group: DirectoryGroup) -> AsyncIterator[Sequence[DirectoryMember]]:
        await self._begin("members")
        found = []
        for member in sorted(self.inside.get((group.tenant_id, group.id), ())):
            user = self.users.get((group.tenant_id, member))
            if member.startswith("grp_"):
                found.append(DirectoryMember(group, None, member))
            elif user is not None:
                # A member's row says less than a person's: no name, no status.
                found.append(DirectoryMember(group, DirectoryUser(user.tenant_id, user.id, user.email), None))
        for page in self._pages(found):
            yield page

    async def _begin(self, name: str) -> None:
        if self.on_list is not None:
            await self.on_list(name)
        if name in self.refused:
            raise UpstreamRejected("scaikey", status=403, code=None, message="no scope")
        if name in self.missing:
            raise UpstreamRejected("scaikey", status=404, code=None, message="Not Found")

    def _pages(self, rows: Sequence[_Row]) -> Sequence[Sequence[_Row]]:
        return [rows[start : start + self.page] for start in range(0, len(rows), self.page)]
