"""Finding a flow that a caller may use, and reading what it holds."""

from typing import Any

import orjson
from sqlalchemy import Connection

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import reads_of
from scaiflow_api.db.models.flow import Flow, FlowVersion
from scaiflow_api.db.session import Database
from scaiflow_api.domains.flows.access import check_level
from scaiflow_api.domains.flows.errors import (
    FlowNotDeleted,
    FlowNotFound,
    ForeignTenant,
    InsufficientAcl,
    VersionNotFound,
)
from scaiflow_api.domains.flows.listing import NEWEST_CHANGE_FIRST, Order, Position, Wanted
from scaiflow_api.domains.flows.repository import FlowRepository
from scaiflow_api.domains.flows.rows import FlowRows
from scaiflow_api.kit.semver import Version
from scaiflow_api.storage import FlowVersions, StoredDocument


class FlowService:
    """Reads flows. Every other domain comes to a flow through here."""

    def __init__(self, db: Database, versions: FlowVersions) -> None:
        self._db = db
        self._versions = versions

    async def open(self, caller: Caller, flow_id: str, level: Level, *, own_tenant: bool = False) -> Flow:
        """Return the flow if the caller holds `level` on it.

        Raises FlowNotFound where the caller may not even see it, InsufficientAcl where it sees but may not, and
        ForeignTenant where `own_tenant` asks for more than a look across tenants.
        """

        def find(connection: Connection) -> Flow:
            flow = FlowRows(connection).find(flow_id, reads_of(caller))
            if flow is None:
                raise FlowNotFound(flow_id=flow_id)
            check_level(connection, flow, caller, level)
            return flow

        flow = await self._db.ask(find)
        if own_tenant and flow.tenant_id != caller.tenant_id:
            raise ForeignTenant(flow_id=flow.id)
        return flow

    async def open_deleted(self, caller: Caller, flow_id: str) -> Flow:
        """Return a deleted flow to a caller who holds `admin` on it; nobody else can tell that it was there.

        Raises FlowNotFound; FlowNotDeleted, or InsufficientAcl, where the flow is there as ever.
        """

        def find(connection: Connection) -> Flow | None:
            flow = FlowRows(connection).find_deleted(flow_id, reads_of(caller))
            if flow is not None:
                try:
                    check_level(connection, flow, caller, Level.ADMIN)
                except InsufficientAcl:
                    raise FlowNotFound(flow_id=flow_id) from None
            return flow

        flow = await self._db.ask(find)
        if flow is not None:
            return flow
        await self.open(caller, flow_id, Level.ADMIN)
        raise FlowNotDeleted(flow_id=flow_id)

    async def document(self, flow: Flow, version: str | None = None) -> dict[str, Any]:
        """Return the content of a version (default: the current one) under the flow's present name.

        Raises VersionNotFound, or the store's error.
        """
        document: dict[str, Any] = orjson.loads((await self._stored(flow, version)).text)
        document["name"] = flow.name
        return document

    async def text(self, flow: Flow, version: str | None = None) -> bytes:
        """Return what `document` returns as JSON: the stored bytes, unless the flow was renamed since."""
        stored = await self._stored(flow, version)
        if stored.name == flow.name:
            return stored.text
        return orjson.dumps({**orjson.loads(stored.text), "name": flow.name})

    async def _stored(self, flow: Flow, version: str | None) -> StoredDocument:
        if version is not None and version != flow.version:
            async with self._db.read() as session:
                if await FlowRepository(session).find_version(flow, version) is None:
                    raise VersionNotFound(flow_id=flow.id, version=version)
        return await self._versions.read(flow.tenant_id, flow.id, version or flow.version)

    async def versions(self, flow: Flow) -> list[FlowVersion]:
        """Return the flow's versions, newest first."""
        async with self._db.read() as session:
            rows = await FlowRepository(session).versions(flow)
        return sorted(rows, key=lambda row: Version.of(row.version), reverse=True)

    async def page(
        self,
        caller: Caller,
        *,
        search: str | None = None,
        owner: str | None = None,
        deleted: bool = False,
        order: Order = NEWEST_CHANGE_FIRST,
        after: Position | None,
        size: int,
    ) -> tuple[list[dict[str, Any]], int, Position | None]:
        """Return up to `size` visible flows, how many there are in all, and where the next page begins.

        Of each flow the fields of a DeletedFlow.

        `owner` is a user's id, or `me`. `deleted` lists the deleted flows that the caller may restore instead.
        """
        wanted = Wanted(search, caller.subject if owner == "me" else owner, deleted)
        async with self._db.read() as session:
            return await FlowRepository(session).page(caller, wanted, order, after=after, size=size)
