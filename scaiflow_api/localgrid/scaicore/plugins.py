"""The plugins that belong to this grid: what a run can call, and what ends with it."""

from dataclasses import dataclass

from scaiflow_api.localgrid.runtime.plugin_call import Plugin
from scaiflow_api.localgrid.scaibunker import plugin as scaibunker
from scaiflow_api.localgrid.scaibunker.bunkers import Bunkers
from scaiflow_api.localgrid.scaicore.invocation import Invocation
from scaiflow_api.localgrid.scaiqueue import plugin as scaiqueue
from scaiflow_api.localgrid.scaiqueue.post import Post


@dataclass(frozen=True, slots=True)
class GridPlugins:
    """Gives each run its plugins."""

    post: Post
    bunkers: Bunkers

    def of(self, invocation: Invocation, execution_id: str) -> dict[str, Plugin]:
        """Return a run's plugins by their aliases."""
        return {
            scaiqueue.ALIAS: scaiqueue.QueuePlugin(self.post, invocation, execution_id),
            scaibunker.ALIAS: scaibunker.BunkerPlugin(self.bunkers, invocation, execution_id),
        }

    async def end(self, execution_id: str) -> None:
        """Remove what lives no longer than a run."""
        await self.bunkers.destroy_those_of_run(execution_id)
