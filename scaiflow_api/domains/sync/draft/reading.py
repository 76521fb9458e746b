"""A draft as a flow document."""

import asyncio
from dataclasses import dataclass
from typing import Any

from scaiflow_api.compiler.rules.shape import diagnostic
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.errors import InvalidFlow
from scaiflow_api.domains.sync.document import SERVER_KEYS
from scaiflow_api.domains.sync.draft.conversions import Conversions
from scaiflow_api.domains.sync.draft.errors import DraftNotFound
from scaiflow_api.domains.sync.draft.following import DraftFollower, LoadedDraft
from scaiflow_api.flowgraph import Limits, Problem, parse_document


@dataclass(frozen=True, slots=True)
class Draft:
    """What the draft of a flow says at one moment."""

    flow: Flow
    """As it was then; all of its current version is in the draft."""
    row: SyncDocument
    document: dict[str, Any]
    """Under the flow's own id, name and version."""
    problems: list[Problem]
    """What keeps it from being saved."""

    def as_diagnostics(self) -> list[dict[str, Any]]:
        return [diagnostic(problem).as_dict() for problem in self.problems]


class DraftReader:
    """Raises what loading a draft raises."""

    def __init__(self, follower: DraftFollower, conversions: Conversions, limits: Limits) -> None:
        self._follower = follower
        self._conversions = conversions
        self._limits = limits

    async def load(self, flow: Flow) -> LoadedDraft:
        """Return the draft of a flow as it is stored. Raises DraftNotFound."""
        loaded = await self._follower.load(flow)
        if loaded is None:
            raise DraftNotFound(flow_id=flow.id)
        return loaded

    async def read(self, flow: Flow, loaded: LoadedDraft) -> Draft:
        """Return what a draft says. Raises FlowTooLarge, DraftTooLarge and DraftUnreadable."""
        shared = await self._conversions.read(loaded.entries)
        document = shared.document | {key: getattr(flow, key) for key in SERVER_KEYS}
        found = await asyncio.to_thread(parse_document, document, limits=self._limits)
        problems = shared.problems + (found if isinstance(found, list) else [])
        return Draft(flow, loaded.row, document, problems)

    async def read_sound(self, flow: Flow) -> Draft:
        """Return the draft where it could be saved, else raise InvalidFlow. Raises what `load` and `read` raise."""
        draft = await self.read(flow, await self.load(flow))
        if draft.problems:
            raise InvalidFlow(diagnostics=draft.as_diagnostics())
        return draft
