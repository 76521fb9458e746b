"""ScaiBunker, ScaiGrid's module of sandboxes: which of them there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from scaiflow_api.upstreams.grid_client import GridClient
from scaiflow_api.upstreams.grid_envelopes import id_of, text

_BUNKERS = "/v1/modules/scaibunker/bunkers"


@dataclass(frozen=True, slots=True)
class Bunker:
    """A sandbox, in ScaiFlow's words. What ScaiBunker did not say is None; `row` is all that it said."""

    bunker_id: str
    image_ref: str | None
    lifecycle: str | None
    """`ephemeral`, `session` or `persistent`."""
    status: str | None
    """`ready` is ScaiBunker's `running`; its other words are kept."""
    row: Mapping[str, Any] = field(repr=False)


class ScaiBunker(GridClient):
    """ScaiBunker's HTTP API, as far as the canvas needs it."""

    system = "scaibunker"

    async def bunkers(self, credential: SecretStr) -> list[Bunker]:
        """Return the tenant's bunkers of every status, in ScaiBunker's order."""
        rows = await self._list(_BUNKERS, credential)
        return [bunker for row in rows if (bunker := bunker_of(row)) is not None]


def bunker_of(row: Mapping[str, Any]) -> Bunker | None:
    """Read a bunker from its row, under either product's names; None for a row without a usable id."""
    bunker_id = id_of(row, "bunker_id", "id")
    if bunker_id is None:
        return None
    status = text(row.get("status"))
    return Bunker(
        bunker_id=bunker_id,
        image_ref=text(row.get("image_ref")) or text(row.get("image")),
        lifecycle=text(row.get("lifecycle")) or text(row.get("lifecycle_mode")),
        status="ready" if status == "running" else status,
        row=row,
    )
