"""`POST /v1/admin/sync`: the sync, now."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from scaiflow_api.auth.caller import MANAGE, AdminRole, Caller
from scaiflow_api.auth.errors import InsufficientRole
from scaiflow_api.db.audit import Entry
from scaiflow_api.domains.audit.effects import recording
from scaiflow_api.domains.directory.schemas import SyncAnswer
from scaiflow_api.domains.directory.sync import DirectorySync
from scaiflow_api.upstreams.errors import ScaiKeyApi, ScaiKeyTimeout
from scaiflow_api.web.deps import ResourcesDep, requires
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/admin", tags=["admin"], route_class=IdempotentRoute)


@router.post(
    "/sync", response_model=SyncAnswer, responses=documented(InsufficientRole, ScaiKeyApi, ScaiKeyTimeout)
)
async def sync_directory(
    caller: Annotated[Caller, Depends(requires(MANAGE, AdminRole.SUPER_ADMIN))],
    resources: ResourcesDep,
    force: Annotated[
        bool, Query(description="also when more than a fifth is missing in ScaiKey's answer")
    ] = False,
) -> SyncAnswer:
    """Bring the mirror of ScaiKey's people and groups up to date. It also happens every hour."""
    entry = Entry(
        tenant_id=caller.tenant_id,
        action="directory.synced",
        target_type="directory",
        target_id="scaikey",
        details={"forced": "yes" if force else "no"},
    )
    async with recording(resources.audit, caller, entry) as details:
        report = await DirectorySync(resources).run(force=force)
        details |= report.audit_details
    return SyncAnswer.model_validate(report)
