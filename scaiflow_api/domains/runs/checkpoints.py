"""What runs wait for, and answering it.

Reading needs `view` on the flow whose Core waits. Answering needs `deploy`: the run goes on, with the flow's real
effects. ScaiGrid asks for `scaicore:checkpoint_resolve` besides.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.audit.effects import recording
from scaiflow_api.domains.deploy.errors import CoreNotFound
from scaiflow_api.domains.runs.cores import Cores
from scaiflow_api.domains.runs.errors import CheckpointNotFound, CheckpointNotPending, ResolutionRefused
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaigrid_checkpoints import PENDING, Checkpoint, Resolution

_STATUSES: Final = {"failed": "expired,cancelled"}
"""Our word for what ScaiGrid tells apart."""
_NOT_TAKEN: Final = frozenset({400, 422})


class Checkpoints:
    """The ScaiCore proxies of checkpoints; rows are handed on as ScaiGrid sends them."""

    def __init__(self, *, audit: AuditTrail, cores: Cores) -> None:
        self._audit = audit
        self._cores = cores

    async def page(
        self, caller: Caller, *, core_id: str | None, status: str, limit: int, cursor: str | None
    ) -> bytes:
        """Return a page as JSON.

        Without `core_id` it holds what ScaiGrid's page has of Cores whose flows the caller sees, so it may hold fewer
        than `limit`, even none, and still have a next page. Raises CoreNotFound, MissingCredentials, UpstreamError.
        """
        visible = await self._cores.visible(caller, core_id)
        if not visible:
            return _page([], None)
        access = await self._cores.access(caller)
        found = await access.checkpoints.page(
            access.credential,
            core_id=core_id,
            status=_STATUSES.get(status, status),
            limit=limit,
            cursor=cursor,
        )
        rows = [checkpoint.row for checkpoint in found.checkpoints if checkpoint.core_id in visible]
        return _page(rows, found.next_cursor)

    async def get(self, caller: Caller, checkpoint_id: str) -> bytes:
        """Return one as JSON. Raises CheckpointNotFound, MissingCredentials, UpstreamError."""
        access = await self._cores.access(caller)
        checkpoint, _ = await self._open(caller, access, checkpoint_id, Level.VIEW)
        return _row(checkpoint)

    async def resolve(
        self, caller: Caller, checkpoint_id: str, resolution: Resolution, comment: str | None
    ) -> bytes:
        """Answer one, so that its run goes on; return it as it is then.

        Raises CheckpointNotFound, CheckpointNotPending, ResolutionRefused, InsufficientAcl, MissingCredentials,
        UpstreamError.
        """
        access = await self._cores.access(caller)
        checkpoint, flow = await self._open(caller, access, checkpoint_id, Level.DEPLOY)
        entry = Entry(
            tenant_id=flow.tenant_id,
            action="checkpoint.resolved",
            target_type="checkpoint",
            target_id=checkpoint_id,
            flow_id=flow.id,
            details={"core_id": checkpoint.core_id, "execution_id": checkpoint.execution_id},
        )
        async with recording(self._audit, caller, entry):
            try:
                answered = await access.checkpoints.resolve(
                    access.credential, checkpoint_id, resolution, comment=comment
                )
            except UpstreamRejected as refusal:
                if refusal.status in _NOT_TAKEN:
                    raise ResolutionRefused(refusal, checkpoint.options) from None
                # A conflict may also be that the Core does not run; the checkpoint itself says whether that was it.
                if not refusal.conflict or await _waits(access, checkpoint_id):
                    raise
                raise CheckpointNotPending(checkpoint_id=checkpoint_id) from None
        return _row(answered)

    async def _open(
        self, caller: Caller, access: Access, checkpoint_id: str, level: Level
    ) -> tuple[Checkpoint, Flow]:
        """Return a checkpoint and its flow. One of a Core that the caller does not see does not exist."""
        try:
            checkpoint = await access.checkpoints.get(access.credential, checkpoint_id)
        except UpstreamRejected as refusal:
            if refusal.status != 404:
                raise
            raise CheckpointNotFound(checkpoint_id=checkpoint_id) from None
        try:
            flow = await self._cores.open(caller, checkpoint.core_id or "", level)
        except CoreNotFound:
            raise CheckpointNotFound(checkpoint_id=checkpoint_id) from None
        return checkpoint, flow


async def _waits(access: Access, checkpoint_id: str) -> bool:
    return (await access.checkpoints.get(access.credential, checkpoint_id)).status == PENDING


def _row(checkpoint: Checkpoint) -> bytes:
    return orjson.dumps({"data": checkpoint.row})


def _page(rows: list[Mapping[str, Any]], next_cursor: str | None) -> bytes:
    return orjson.dumps({"data": {"checkpoints": rows, "next_cursor": next_cursor}})
