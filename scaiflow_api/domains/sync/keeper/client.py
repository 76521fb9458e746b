"""What rooms ask of the process that holds drafts."""

from typing import cast

from scaiflow_api.domains.sync.keeper.helper import Helper


class Keeper:
    """Every method raises HelperLost when the process was lost, or holds no such draft: it has to be opened again."""

    def __init__(self) -> None:
        self._helper = Helper("scaiflow_api.domains.sync.keeper")

    @property
    def crashes(self) -> int:
        return self._helper.crashes

    async def open(self, key: str, seed_client: int, updates: list[bytes]) -> int:
        """Hold a draft from now on; return how many of its updates cannot be read."""
        return cast("int", await self._helper.ask("open", key, seed_client, updates))

    async def apply(self, key: str, changes: list[tuple[bytes, bool]]) -> list[tuple[str, bytes]]:
        """Apply changes; return of each what it did (`held.CHANGED` and so on), and the change as it is to be kept.

        Where the second of a pair is true, that is without what was there already.
        """
        return [(verdict, update) for verdict, update in await self._helper.ask("apply", key, changes)]

    async def adds(self, key: str, update: bytes) -> bool:
        """Tell whether a change would change the draft."""
        return bool(await self._helper.ask("adds", key, update))

    async def lacked_by(self, key: str, vector: bytes) -> tuple[bytes, bytes] | None:
        """Return what a peer lacks that has `vector`, and the draft's own; None: it is of another epoch.

        Raises Malformed.
        """
        found = await self._helper.ask("lacked_by", key, vector)
        return (found[0], found[1]) if found else None

    async def whole(self, key: str) -> tuple[bytes, bytes]:
        """Return the draft as one update, and its state vector."""
        update, vector = await self._helper.ask("whole", key)
        return update, vector

    async def forget(self, key: str) -> None:
        """Hold a draft no longer."""
        if self._helper.runs:
            await self._helper.ask("forget", key)

    async def close(self) -> None:
        """End the process."""
        await self._helper.close()
