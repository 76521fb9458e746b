"""What a process counts of its sockets, for `/metrics`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_OF_THIS_MOMENT = ("rooms", "peers")


@dataclass(eq=False)
class SyncCounters(Collector):
    """All are counted since the process began, except the first two, which are of this moment."""

    rooms: int = 0
    peers: int = 0
    updates_received: int = 0
    """Changes that peers sent."""
    updates_stored: int = 0
    """Of these, those that brought something new."""
    updates_refused: int = 0
    """Changes of peers who may only view."""
    updates_delivered: int = 0
    """Changes handed to a peer's socket."""
    commits: int = 0
    """Transactions that stored changes; each stores all that came while the one before it went on."""
    merges: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    closed: Counter[int] = field(default_factory=Counter)
    """Sockets that the server closed, by code."""

    def collect(self) -> Iterator[Metric]:
        """Yield everything as Prometheus has it: `scaiflow_sync_rooms`, `scaiflow_sync_peers` and so on."""
        for each in fields(self):
            if each.name == "closed":
                continue
            name, value = f"scaiflow_sync_{each.name}", getattr(self, each.name)
            kind = GaugeMetricFamily if each.name in _OF_THIS_MOMENT else CounterMetricFamily
            yield kind(name, f"Editing together: {each.name.replace('_', ' ')}.", value=value)
        closed = CounterMetricFamily(
            "scaiflow_sync_closed", "Sockets that the server closed, by code.", labels=["code"]
        )
        for code, times in sorted(self.closed.items()):
            closed.add_metric([str(code)], times)
        yield closed
