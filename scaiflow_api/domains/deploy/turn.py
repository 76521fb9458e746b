"""A lock per flow, over all processes: only one deploy or undeploy runs at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scaiflow_api.db.leases import Leases, LeaseTaken
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.domains.deploy.errors import DeployInProgress

_LEASE_S = 20.0
"""How long a dead process keeps others from deploying its flow; shorter than they wait."""
WAIT_S = 30.0


def lease_name(flow_id: str) -> str:
    return f"deploy:{flow_id}"


@asynccontextmanager
async def one_at_a_time(leases: Leases, flow_id: str, *, wait_s: float = WAIT_S) -> AsyncIterator[HeldLease]:
    """Wait for our turn and keep it for the length of the block. Raises DeployInProgress after `wait_s` seconds."""
    try:
        async with leases.hold(lease_name(flow_id), ttl_s=_LEASE_S, wait_s=wait_s) as lease:
            yield lease
    except LeaseTaken:
        raise DeployInProgress(flow_id=flow_id) from None
