"""What a deploy would make of what ScaiGrid has, found out by reading alone. The next moment it may be different."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.domains.deploy.queues import Difference, QueueSetup
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.domains.deploy.rollout import KnownCore
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.rate_limits import IMPATIENT, Patience, PatientCaller
from scaiflow_api.upstreams.scaigrid_answers import Core

CoreAction: TypeAlias = Literal["create", "replace", "adopt", "conflict"]
PublicationAction: TypeAlias = Literal["none", "publish", "sync", "keep"]


@dataclass(frozen=True, slots=True)
class CoreOutlook:
    """Fields as those of `PlannedCore`, on the wire."""

    action: CoreAction
    core_id: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class QueuesOutlook:
    """Fields as those of `PlannedQueues`."""

    scope_slug: str
    scope_id: str | None
    queue_ids: dict[str, str]
    create: Sequence[str]
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class PublicationOutlook:
    """Fields as those of `PlannedPublication`."""

    action: PublicationAction
    published_slug: str | None
    group_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of the Core, the queues (None: the flow has none) and the chat model."""

    core: CoreOutlook
    scaiqueue: QueuesOutlook | None
    publication: PublicationOutlook


async def look_ahead(
    access: Access,
    release: Release,
    known: KnownCore,
    *,
    max_queues: int,
    patience: Patience = IMPATIENT,
) -> Outlook:
    """Read what is there, knowing what earlier deploys tell of a Core.

    Raises UpstreamError; QueueProvisionFailed where the queues could not be set up.
    """
    action, core = await _core(access, release, known, patience)
    return Outlook(
        CoreOutlook(action, core.id if core else None, core.status if core else None),
        await _queues(access, release, max_queues, patience),
        _publication(release, core),
    )


async def _core(
    access: Access, release: Release, known: KnownCore, patience: Patience
) -> tuple[CoreAction, Core | None]:
    """Return what would become of the Core, and the one that is there: as Rollout puts it in its place."""
    grid, ask = access.grid, PatientCaller(access.credential, patience)
    known_id = known.id
    if known_id is not None:
        try:
            return "replace", await ask(grid.get_core, known_id)
        except UpstreamRejected as refusal:
            if refusal.status != 404:
                raise
    cores = await ask(grid.cores)
    ours = next((core for core in cores if core.source_id == release.flow_id), None)
    taken = any(core.slug == slugify(release.name) for core in cores)
    if release.flow_id is not None and ours is not None and (known.may_exist or taken):
        return "adopt", ours
    return ("conflict" if taken else "create"), None


async def _queues(
    access: Access, release: Release, max_queues: int, patience: Patience
) -> QueuesOutlook | None:
    if release.queues is None:
        return None
    setup = QueueSetup(access, max_queues=max_queues, patience=patience)
    looked = await setup.look(release.queues)
    found = looked.found
    return QueuesOutlook(
        scope_slug=release.queues.scope or "",
        scope_id=found.scope_id if found else None,
        queue_ids=found.queue_ids if found else {},
        create=list(looked.missing),
        differences=found.differences if found else [],
    )


def _publication(release: Release, core: Core | None) -> PublicationOutlook:
    there: PublicationAction
    missing: PublicationAction
    there, missing = ("sync", "publish") if release.publishes else ("keep", "none")
    return PublicationOutlook(
        action=there if core is not None and core.published else missing,
        published_slug=core.published_slug if core else None,
        group_ids=list(release.group_ids) if release.publishes else [],
    )
