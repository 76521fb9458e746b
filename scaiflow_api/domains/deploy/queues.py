"""The scope and the queues of a flow in ScaiQueue: found, or made when they are missing.

Existing ones are used as they are, even where they differ from what the flow says: they may serve others too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scaiflow_api.domains.deploy.errors import QueueProvisionFailed, step_failed
from scaiflow_api.flowgraph.config import Queue, QueueTopology
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams import scaiqueue
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamRejected
from scaiflow_api.upstreams.rate_limits import Patience, PatientCaller
from scaiflow_api.upstreams.scaiqueue import MANAGE, Scope

_NEEDS_MANAGE = "Caller needs scaiqueue:manage to provision missing scopes/queues."
_NO_SCOPE = "The flow declares queues, but no scope for them."
_NAME_A_SCOPE = "Set 'config.scaiqueue.scope'."
_COMPARED = ("consumer_mode", "max_retries")


@dataclass(frozen=True, slots=True)
class Difference:
    """A queue that is there already, and not as the flow says."""

    queue: str
    field: str
    wanted: Any
    found: Any


@dataclass(slots=True)
class Provisioned:
    """What there is of a flow's scope and queues so far."""

    scope_id: str
    scope_slug: str
    queue_ids: dict[str, str] = field(default_factory=dict)
    """Slug → id."""
    differences: list[Difference] = field(default_factory=list)

    def note(self, wanted: Queue, found: scaiqueue.Queue) -> None:
        self.queue_ids[wanted.slug] = found.id
        self.differences += _differences(wanted, found)


@dataclass(frozen=True, slots=True)
class FoundQueues:
    """What there is of a flow's scope and queues, and which queues are `missing`; no scope: all of them."""

    found: Provisioned | None
    missing: Sequence[str]


class QueueSetup:
    """Sets up queues with one credential.

    Every method raises QueueProvisionFailed, or an error that ScaiQueue has at every step.
    """

    def __init__(self, access: Access, *, max_queues: int, patience: Patience) -> None:
        self._queues = access.queues
        self._ask = PatientCaller(access.credential, patience)
        self._max_queues = max_queues
        self.done: Provisioned | None = None
        """How far it came."""

    async def ensure(self, topology: QueueTopology) -> Provisioned:
        """Find or make the scope and every queue."""
        slug = self._checked(topology)
        scope, made = await self._scope(slug)
        done = self.done = Provisioned(scope.id, slug)
        known = {} if made else await self._known(scope.id, slug)
        for wanted in topology.queues:
            found = known.get(wanted.slug)
            done.note(wanted, found or await self._make(scope.id, slug, wanted))
        return done

    async def look(self, topology: QueueTopology) -> FoundQueues:
        """Tell what is there, and make nothing."""
        slug = self._checked(topology)
        scope = await self._find_scope(slug)
        if scope is None:
            return FoundQueues(None, [queue.slug for queue in topology.queues])
        found = Provisioned(scope.id, slug)
        known = await self._known(scope.id, slug)
        for wanted in topology.queues:
            if wanted.slug in known:
                found.note(wanted, known[wanted.slug])
        return FoundQueues(
            found, [queue.slug for queue in topology.queues if queue.slug not in found.queue_ids]
        )

    def _checked(self, topology: QueueTopology) -> str:
        """Return the slug of the scope."""
        if not topology.scope:
            raise _failed(_NO_SCOPE, None, fix=_NAME_A_SCOPE)
        if len(topology.queues) > self._max_queues:
            raise _failed(
                f"The flow declares {len(topology.queues)} queues; a deploy sets up at most {self._max_queues}.",
                topology.scope,
            )
        return topology.scope

    async def _scope(self, slug: str) -> tuple[Scope, bool]:
        """Return the scope, and whether it was made here and now."""
        found = await self._find_scope(slug)
        if found is not None:
            return found, False
        try:
            return await self._ask(self._queues.create_scope, slug), True
        except UpstreamError as failure:
            if not _taken(failure):
                raise _translated(failure, slug) from None
            # Somebody else was first, or it is there and we may not see it.
            overtaken = await self._find_scope(slug)
            if overtaken is None:
                raise _translated(failure, slug) from None
            return overtaken, False

    async def _find_scope(self, slug: str) -> Scope | None:
        try:
            scopes = await self._ask(self._queues.scopes)
        except UpstreamError as failure:
            raise _translated(failure, slug) from None
        return next((scope for scope in scopes if scope.slug == slug), None)

    async def _known(self, scope_id: str, scope: str, queue: str | None = None) -> dict[str, scaiqueue.Queue]:
        try:
            rows = await self._ask(self._queues.queues, scope_id)
        except UpstreamError as failure:
            raise _translated(failure, scope, queue) from None
        return {row.slug: row for row in rows if row.slug is not None}

    async def _make(self, scope_id: str, scope: str, wanted: Queue) -> scaiqueue.Queue:
        try:
            return await self._ask(
                self._queues.create_queue,
                scope_id,
                wanted.slug,
                display_name=wanted.display_name,
                description=wanted.description,
                consumer_mode=wanted.consumer_mode,
                max_retries=wanted.max_retries,
            )
        except UpstreamError as failure:
            if not _taken(failure):
                raise _translated(failure, scope, wanted.slug) from None
            overtaken = (await self._known(scope_id, scope, wanted.slug)).get(wanted.slug)
            if overtaken is None:
                raise _translated(failure, scope, wanted.slug) from None
        for other in _differences(wanted, overtaken):
            raise _failed(
                f"Somebody else made the queue '{wanted.slug}' at the same moment, with {other.field} "
                f"{other.found!r} instead of {other.wanted!r}.",
                scope,
                wanted.slug,
            )
        return overtaken


def _taken(failure: UpstreamError) -> bool:
    return isinstance(failure, UpstreamRejected) and failure.conflict


def _differences(wanted: Queue, found: scaiqueue.Queue) -> list[Difference]:
    """Return how a queue differs; what ScaiQueue did not say differs from nothing."""
    told = {"consumer_mode": found.consumer_mode, "max_retries": found.max_retries}
    return [
        Difference(wanted.slug, name, getattr(wanted, name), told[name])
        for name in _COMPARED
        if told[name] not in (None, getattr(wanted, name))
    ]


def _translated(failure: UpstreamError, scope: str, queue: str | None = None) -> AppError:
    error = step_failed(QueueProvisionFailed, failure, scope=scope, queue=queue)
    if isinstance(failure, UpstreamRejected) and failure.status == 403 and failure.needs == MANAGE:
        error.fields["fix"] = _NEEDS_MANAGE
    return error


def _failed(message: str, scope: str | None, queue: str | None = None, **fields: Any) -> QueueProvisionFailed:
    return QueueProvisionFailed(message=message, status=None, code=None, scope=scope, queue=queue, **fields)
