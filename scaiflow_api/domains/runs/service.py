"""Events and runs of Cores, for callers who may use the flow that a Core belongs to.

Reading events needs `view` on the flow. Running a Core, and ending a run, needs `deploy`: like a test run it has the
flow's real effects, with the caller's credential.
"""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.domains.audit.effects import recording
from scaiflow_api.domains.runs.cores import Cores
from scaiflow_api.domains.runs.errors import ExecutionNotActive, ExecutionNotFound
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaigrid_answers import Execution

_NO_EVENTS = b'{"data":{"events":[],"next_cursor":null}}'
_LATEST_EVENTS = 500
"""Among so many a run is looked for that waits at no checkpoint."""


class Runs:
    """The ScaiCore proxies of events and runs."""

    def __init__(self, *, audit: AuditTrail, cores: Cores) -> None:
        self._audit = audit
        self._cores = cores

    async def events(self, caller: Caller, *, core_id: str | None, limit: int, cursor: str | None) -> bytes:
        """Return a page of events as JSON, payloads untouched.

        Without `core_id` it holds what ScaiGrid's page has of Cores whose flows the caller sees, so it may hold
        fewer than `limit`, even none, and still have a next page. Raises CoreNotFound, MissingCredentials,
        UpstreamError.
        """
        visible = await self._cores.visible(caller, core_id)
        if not visible:
            return _NO_EVENTS
        access = await self._cores.access(caller)
        page = await access.grid.events(access.credential, core_id=core_id, limit=limit, cursor=cursor)
        return page.only(visible)

    async def invoke(
        self,
        caller: Caller,
        core_id: str,
        value: Mapping[str, Any],
        *,
        flow_name: str | None,
        instance_key: str | None,
    ) -> Execution:
        """Run a Core. Raises CoreNotFound, InsufficientAcl, MissingCredentials, UpstreamError."""
        flow = await self._cores.open(caller, core_id, Level.DEPLOY)
        access = await self._cores.access(caller)
        entry = Entry(
            tenant_id=flow.tenant_id,
            action="core.invoked",
            target_type="core",
            target_id=core_id,
            flow_id=flow.id,
        )
        async with recording(self._audit, caller, entry) as details:
            run = await access.grid.invoke(
                access.credential, core_id, value, flow_name=flow_name, instance_key=instance_key
            )
            details.update(execution_id=run.execution_id, status=run.status)
        return run

    async def cancel(self, caller: Caller, core_id: str, execution_id: str) -> None:
        """End a run of a Core, and what it waits for.

        ScaiGrid does not tell whose a run is, so it is looked for among what the Core waits for and its latest
        events. Raises CoreNotFound, InsufficientAcl, ExecutionNotFound, ExecutionNotActive, MissingCredentials,
        UpstreamError.
        """
        flow = await self._cores.open(caller, core_id, Level.DEPLOY)
        access = await self._cores.access(caller)
        if not await _knows(access, core_id, execution_id):
            raise ExecutionNotFound(execution_id=execution_id, core_id=core_id)
        entry = Entry(
            tenant_id=flow.tenant_id,
            action="run.cancelled",
            target_type="core",
            target_id=core_id,
            flow_id=flow.id,
            details={"execution_id": execution_id},
        )
        async with recording(self._audit, caller, entry):
            try:
                await access.checkpoints.cancel_execution(access.credential, execution_id)
            except UpstreamRejected as refusal:
                if refusal.conflict:
                    raise ExecutionNotActive(execution_id=execution_id, core_id=core_id) from None
                if refusal.status != 404:
                    raise
                raise ExecutionNotFound(execution_id=execution_id, core_id=core_id) from None


async def _knows(access: Access, core_id: str, execution_id: str) -> bool:
    waiting = await access.checkpoints.pending(access.credential, core_id)
    if any(checkpoint.execution_id == execution_id for checkpoint in waiting):
        return True
    page = await access.grid.events(access.credential, core_id=core_id, limit=_LATEST_EVENTS)
    return any(
        event.get("core_id") == core_id
        and isinstance(payload := event.get("payload"), dict)
        and payload.get("execution_id") == execution_id
        for event in page.events
    )
