"""Comparing versions of a flow, with each other and with what is deployed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler.interface.comparison import Comparison
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.reading import DraftReader
from scaiflow_api.domains.versions.errors import NotDeployed
from scaiflow_api.flowgraph import Limits

CURRENT, DEPLOYED, DRAFT = "current", "deployed", "draft"

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FoundDrift:
    """What a flow's Core was given, and what differs from it now; `deployment` is None where nothing is deployed."""

    flow: Flow
    deployment: Deployment | None
    comparison: Comparison | None


class CompareVersions:
    """Compares documents as they are read: under the flow's present name, but what is deployed under its own."""

    def __init__(
        self, flows: FlowService, deployments: Deployments, drafts: DraftReader, limits: Limits
    ) -> None:
        self._flows = flows
        self._deployments = deployments
        self._drafts = drafts
        self._limits = limits

    async def diff(self, caller: Caller, flow_id: str, old: str, new: str) -> tuple[str, str, Comparison]:
        """Return both versions and their difference; a version is a number, `current`, `deployed` or `draft`.

        Raises what opening the flow raises, VersionNotFound, NotDeployed, what reading a sound draft raises, or the
        store's error.
        """
        flow = await self._flows.open(caller, flow_id, Level.VIEW)
        old_version, before = await self._named(flow, old)
        new_version, after = await self._named(flow, new)
        return old_version, new_version, await self._compare(before, after)

    async def drift(self, caller: Caller, flow_id: str) -> FoundDrift:
        """Compare the current version with what the flow's Core was given last. Raises as `diff` does."""
        flow = await self._flows.open(caller, flow_id, Level.VIEW)
        deployment = await self._deployments.in_core(flow)
        if deployment is None:
            return FoundDrift(flow, None, None)
        before = await self._deployments.document(self._flows, flow, deployment)
        return FoundDrift(flow, deployment, await self._compare(before, await self._flows.document(flow)))

    async def _named(self, flow: Flow, name: str) -> tuple[str, Document]:
        if name == DRAFT:
            return DRAFT, (await self._drafts.read_sound(flow)).document
        if name == DEPLOYED:
            deployment = await self._deployments.in_core(flow)
            if deployment is None:
                raise NotDeployed(flow_id=flow.id)
            return deployment.flow_version, await self._deployments.document(self._flows, flow, deployment)
        version = flow.version if name == CURRENT else name
        return version, await self._flows.document(flow, version)

    async def _compare(self, before: Document, after: Document) -> Comparison:
        """Compare off the event loop: both are compiled."""
        return await asyncio.to_thread(Comparison.of, before, after, limits=self._limits)
