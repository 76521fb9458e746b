"""Calls of other Cores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value, parse_duration
from scaiflow_api.localgrid.runtime.evaluation import rendered, rendered_text
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreRequest:
    """One call, all templates rendered."""

    target: str
    """`core://{tenant_slug}/{slug}`."""
    flow_name: str | None
    """The Core's first flow where none is named."""
    input: Mapping[str, Value]
    instance_key: str | None
    version: str | None
    timeout_s: float


class Cores(Protocol):
    """The other Cores of the grid."""

    async def call(self, request: CoreRequest, place: str) -> Value:
        """Run a flow to its end and return its output; once for each place. Raises BlockFailed."""
        ...

    async def start(self, request: CoreRequest, place: str) -> None:
        """Start a run that nobody waits for; once for each place. Raises BlockFailed."""
        ...


async def run_core_call(
    block: ir.CoreCallBlock, frame: Frame, data: Mapping[str, Value], cores: Cores
) -> Value:
    """Return the output of the called flow, null when it is not waited for. Raises BlockFailed."""
    names = frame.names(data)
    key = block.instance_key
    request = CoreRequest(
        target=block.target,
        flow_name=block.flow_name,
        input={name: rendered(value, names) for name, value in block.input_bindings.items()},
        instance_key=None if key is None else rendered_text(key, names),
        version=block.version,
        timeout_s=_seconds(block.timeout),
    )
    place = frame.lane.step()
    failed = frame.lane.record.failure_at(place)
    if failed is not None:
        raise failed
    try:
        if not block.is_async:
            return await cores.call(request, place)
        await cores.start(request, place)
    except BlockFailed as failure:
        frame.lane.record.keep_failure(place, failure)
        raise
    return None


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise BlockFailed("INVALID_TIMEOUT", f"the call's timeout is no duration: {error}") from None
