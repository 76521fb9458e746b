"""Writing flows: the document first, under a key that is never written twice; then the row, by compare-and-set.

A crash between the two leaves an object that nothing points at, never a row without its object. Whoever was held up
for minutes between the two gives up: by then `scaiflow gc` may take the object for an orphan.

The moment at which a row moves decides every race. Saves without `If-Match` all become versions, one after the
other; with it, the first wins and the others get 412. What was deleted, or whose grant was revoked, before that
moment is not saved (404, 403); what was saved before it stays saved, and comes back with the flow when that is
restored. The same holds for grants and for giving a flow away. What only reads the flow (a deploy, publishing,
duplicating) is judged, and takes the version that is current, when it reads; for a deploy that is when its turn
begins. What changes afterwards comes after it.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

import structlog
from sqlalchemy import Connection

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry, Occurrence, write_down
from scaiflow_api.db.models.flow import Flow, FlowVersion
from scaiflow_api.db.prepared import entity
from scaiflow_api.db.session import Database
from scaiflow_api.domains.flows import audited
from scaiflow_api.domains.flows.access import check_level
from scaiflow_api.domains.flows.audited import Origin, flow_state
from scaiflow_api.domains.flows.checking import checked_without_blocking
from scaiflow_api.domains.flows.errors import (
    FlowNotDeleted,
    FlowNotFound,
    InsufficientAcl,
    SaveContention,
)
from scaiflow_api.domains.flows.etag import require_match
from scaiflow_api.domains.flows.rows import FlowRows, Moved
from scaiflow_api.domains.flows.schemas import FlowCreate, FlowUpdate
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.kit.semver import FIRST, Version
from scaiflow_api.kit.turns import TurnNotHad, Turns
from scaiflow_api.storage import FlowVersions, StoreUnavailable, VersionTaken, require_prompt

log = structlog.get_logger(__name__)

UNTITLED = "Untitled Flow"
ORPHAN_AFTER_S = 5.0
"""A version whose object stands alone for this long was abandoned; its number is skipped."""
_GIVE_UP_AFTER_S = 20.0
"""Waiting for the saves before it included."""

MadeOf: TypeAlias = Callable[[Connection, str], bool]
"""Notes down that a version was made of the flow's draft, in the transaction that names it; False: of another one."""
AfterSave: TypeAlias = Callable[[Flow], Awaitable[None]]
"""Called when a flow got a version that its draft lacks, for good. It must not raise: nothing can be taken back."""


class FlowWriter:
    """Creates, changes, deletes and restores flows that the caller was already allowed to change."""

    def __init__(
        self,
        db: Database,
        versions: FlowVersions,
        limits: Limits,
        clock: Clock,
        turns: Turns,
        after_save: AfterSave | None = None,
        *,
        orphan_after_s: float = ORPHAN_AFTER_S,
    ) -> None:
        self._db = db
        self._versions = versions
        self._limits = limits
        self._clock = clock
        self._turns = turns
        self._after_save = after_save
        self._orphan_after_s = orphan_after_s

    async def create(
        self, caller: Caller, new: FlowCreate, origin: Origin | None = None
    ) -> tuple[Flow, bytes]:
        """Store a new flow owned by the caller; return it and what was stored. Raises InvalidFlow, FlowTooLarge.

        `origin` tells the audit log where the content comes from.
        """
        named = new.content.get("name")
        now = self._clock.now()
        flow = Flow(
            id=new_id("flow"),
            tenant_id=caller.tenant_id,
            owner_id=caller.subject,
            name=new.name or (named.strip()[:200] if isinstance(named, str) else "") or UNTITLED,
            description=new.description,
            version=str(Version.parse(str(new.content.get("version"))) or FIRST),
            revision=1,
            created_at=now,
            updated_at=now,
        )
        stored = await self._stored_form(new.content, flow.id, flow.name, flow.version)
        await self._versions.write(flow.tenant_id, flow.id, flow.version, stored)
        version = self._version_row(flow.id, flow.version, caller, new.message, stored, now)

        def add(connection: Connection) -> None:
            FlowRows(connection).add(flow, version)
            write_down(connection, [Occurrence(caller, audited.created(flow, version, origin or {}), now)])
            require_prompt(now, self._clock.now())

        await self._db.carry_out(add)
        return flow, stored

    async def update(
        self,
        caller: Caller,
        flow: Flow,
        change: FlowUpdate,
        if_match: str | None,
        origin: Origin | None = None,
        made_of: MadeOf | None = None,
    ) -> tuple[Flow, bytes | None]:
        """Apply a change; return the flow as it is now, and what was stored where the change brought content.

        `origin` tells the audit log where the content comes from; with `made_of` it comes from the draft.

        Raises VersionConflict when `if_match` no longer names the flow, InvalidFlow, FlowTooLarge, SaveContention;
        and FlowNotFound or InsufficientAcl when the flow, or the caller's grant, went away meanwhile.
        """
        require_match(flow, if_match)
        fields = change.model_dump(include={"name", "description"}, exclude_none=True)
        if change.content is not None:
            give_up = time.monotonic() + _GIVE_UP_AFTER_S
            try:
                async with self._turns.of(flow.id, until=give_up):
                    moved, stored = await self._save(
                        caller,
                        flow,
                        change.content,
                        change.message,
                        fields,
                        if_match,
                        origin or {},
                        made_of,
                        give_up,
                    )
            except TurnNotHad:
                raise SaveContention from None
            if moved.drafted and self._after_save is not None:
                await self._after_save(moved.flow)
            return moved.flow, stored
        if not fields:
            return flow, None
        tell = partial(audited.updated, fields=tuple(fields))
        changed = await self._change(caller, Level.EDIT, flow, if_match, fields, tell)
        return changed or await self._lost(flow, if_match), None

    async def delete(self, caller: Caller, flow: Flow, if_match: str | None) -> None:
        """Mark the flow deleted; its versions stay. Raises what `update` raises."""
        require_match(flow, if_match)
        now = self._clock.now()
        values = {"deleted_at": now, "updated_at": now}
        if not await self._change(caller, Level.ADMIN, flow, if_match, values, audited.deleted):
            await self._lost(flow, if_match)

    async def undelete(self, caller: Caller, flow: Flow) -> Flow:
        """Bring a deleted flow back, with all its versions and grants.

        Raises FlowNotDeleted when somebody else was faster; FlowNotFound or InsufficientAcl when the caller's grant
        went away meanwhile.
        """
        now = self._clock.now()

        def bring_back(connection: Connection) -> Flow:
            back = FlowRows(connection).undelete(flow, now)
            if back is None:
                raise FlowNotDeleted(flow_id=flow.id)
            check_level(connection, back, caller, Level.ADMIN)
            write_down(connection, [Occurrence(caller, audited.restored(back, before=flow_state(flow)), now)])
            return back

        return await self._db.carry_out(bring_back)

    async def _save(
        self,
        caller: Caller,
        flow: Flow,
        content: dict[str, Any],
        message: str,
        fields: dict[str, Any],
        if_match: str | None,
        origin: Origin,
        made_of: MadeOf | None,
        give_up: float,
    ) -> tuple[Moved, bytes]:
        while time.monotonic() < give_up:
            name = fields.get("name", flow.name)
            began = self._clock.now()
            version, stored = await self._store(flow, name, content, give_up)
            if version:
                row = self._version_row(flow.id, version, caller, message, stored, began)
                tell = partial(audited.updated, fields=tuple(fields), stored=row, origin=origin)
                try:
                    moved = await self._move(caller, flow, fields, tell, row, made_of)
                except (FlowNotFound, InsufficientAcl):
                    await self._discard(flow, row)
                    raise
                if moved is not None:
                    return moved, stored
                await self._discard(flow, row)
            flow = await self._lost(flow, if_match)
        raise SaveContention

    async def _store(
        self, flow: Flow, name: str, content: dict[str, Any], give_up: float
    ) -> tuple[str, bytes]:
        """Put the document under the first free version; an empty version says that another save was faster."""
        version = Version.of(flow.version).next_patch()
        orphan_at = time.monotonic() + self._orphan_after_s
        while time.monotonic() < give_up:
            stored = await self._stored_form(content, flow.id, name, str(version))
            try:
                await self._versions.write(flow.tenant_id, flow.id, str(version), stored)
            except VersionTaken:
                if (await self._reread(flow)).version != flow.version:
                    return "", stored
                if time.monotonic() > orphan_at:
                    # All at once: a database that takes no row for an hour leaves thousands.
                    taken = await self._versions.numbers(flow.tenant_id, flow.id)
                    while str(version) in taken:
                        version = version.next_patch()
                else:
                    await asyncio.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - only spreads the crowd
            else:
                return str(version), stored
        raise SaveContention

    async def _discard(self, flow: Flow, row: FlowVersion) -> None:
        """Take back what we stored for a row that certainly will not name it, so that its number is free.

        Not late, though: what `scaiflow gc` took for an orphan may be another save's object by now.
        """
        try:
            require_prompt(row.created_at, self._clock.now())
            await self._versions.discard(flow.tenant_id, flow.id, row.version)
        except StoreUnavailable:
            log.warning("orphan left in the store", flow_id=flow.id, version=row.version)

    async def _move(
        self,
        caller: Caller,
        flow: Flow,
        values: dict[str, Any],
        tell: Callable[..., Entry],
        version: FlowVersion,
        made_of: MadeOf | None,
    ) -> Moved | None:
        """Make the row name a version that is stored, and return it; None: it is not as it was seen."""

        def move(connection: Connection) -> Moved | None:
            now = self._clock.now()
            moved = FlowRows(connection).move(flow, version, updated_at=now, **values)
            if moved is None:
                return None
            check_level(connection, moved.flow, caller, Level.EDIT)
            if made_of is not None and made_of(connection, version.version):
                moved = moved._replace(drafted=False)
            write_down(connection, [Occurrence(caller, tell(moved.flow, before=moved.before), now)])
            require_prompt(version.created_at, self._clock.now())
            return moved

        return await self._db.carry_out(move)

    async def _change(
        self,
        caller: Caller,
        level: Level,
        flow: Flow,
        if_match: str | None,
        values: dict[str, Any],
        tell: Callable[..., Entry],
    ) -> Flow | None:
        """Change the row, and return it; None: it is deleted, or `if_match` does not name it any more.

        The caller's level is asked for again here: a grant that was revoked before this moment is of no use.
        """

        def change(connection: Connection) -> Flow | None:
            rows, now = FlowRows(connection), self._clock.now()
            seen = rows.lock(flow)
            if seen is None or (if_match is not None and seen.revision != flow.revision):
                return None
            changed = rows.change(seen, **{"updated_at": now} | values)
            assert changed is not None, "its row is locked"
            check_level(connection, changed, caller, level)
            write_down(connection, [Occurrence(caller, tell(changed, before=flow_state(seen)), now)])
            return changed

        return await self._db.carry_out(change)

    async def _lost(self, flow: Flow, if_match: str | None) -> Flow:
        """Return the flow as it is after somebody was faster, unless the caller insisted on what it was."""
        current = await self._reread(flow)
        require_match(current, if_match)
        return current

    async def _reread(self, flow: Flow) -> Flow:
        current = await self._db.ask(lambda connection: FlowRows(connection).find(flow.id, flow.tenant_id))
        if current is None:
            raise FlowNotFound(flow_id=flow.id)
        return current

    async def _stored_form(self, content: dict[str, Any], flow_id: str, name: str, version: str) -> bytes:
        """Return what is stored for a content: with the server's id, name and version in it. Raises as `checked`."""
        document = {**content, "id": flow_id, "name": name, "version": version}
        return await checked_without_blocking(document, self._limits)

    def _version_row(
        self, flow_id: str, version: str, caller: Caller, message: str, stored: bytes, began: datetime
    ) -> FlowVersion:
        """Return the row of a version; it is created when its object `began` to be put."""
        return entity(
            FlowVersion,
            {
                "flow_id": flow_id,
                "version": version,
                "author_id": caller.subject,
                "message": message,
                "sha256": hashlib.sha256(stored).hexdigest(),
                "size": len(stored),
                "created_at": began,
            },
        )
