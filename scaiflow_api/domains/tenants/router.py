"""`/v1/tenants/me/scaigrid_credentials`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from scaiflow_api.auth.caller import MANAGE, AdminRole, Caller
from scaiflow_api.domains.tenants.errors import BaseUrlNotAllowed, ScaiGridKeyRefused, SecretsNotConfigured
from scaiflow_api.domains.tenants.schemas import GridCredentials, GridCredentialsSet
from scaiflow_api.domains.tenants.service import TenantCredentials
from scaiflow_api.upstreams.errors import ScaiGridApi, ScaiGridBusy, ScaiGridNotConfigured, ScaiGridTimeout
from scaiflow_api.web.deps import KEY_FAILURES, CallerDep, ResourcesDep, requires
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/tenants", tags=["tenants"], route_class=IdempotentRoute)

TenantManager = Annotated[Caller, Depends(requires(MANAGE, AdminRole.TENANT_ADMIN))]


async def tenant_credentials(resources: ResourcesDep) -> TenantCredentials:
    return TenantCredentials(
        audit=resources.audit,
        keys=resources.tenant_keys,
        scaigrid=resources.scaigrid,
        grids=resources.tenant_grids,
        settings=resources.settings.scaigrid,
    )


TenantCredentialsDep = Annotated[TenantCredentials, Depends(tenant_credentials)]


@router.get("/me/scaigrid_credentials", response_model=GridCredentials, responses=documented(*KEY_FAILURES))
async def read_scaigrid_credentials(caller: CallerDep, found: TenantCredentialsDep) -> GridCredentials:
    """Say whether your tenant has a key at ScaiGrid; of the key only its ends."""
    return await found.show(caller)


@router.post(
    "/me/scaigrid_credentials",
    status_code=204,
    responses=documented(
        SecretsNotConfigured,
        BaseUrlNotAllowed,
        ScaiGridKeyRefused,
        ScaiGridApi,
        ScaiGridBusy,
        ScaiGridNotConfigured,
        ScaiGridTimeout,
        *KEY_FAILURES,
    ),
)
async def set_scaigrid_credentials(
    body: GridCredentialsSet,
    caller: TenantManager,
    credentials: TenantCredentialsDep,
    verify: Annotated[bool, Query(description="false: keep the key without asking ScaiGrid")] = True,
) -> None:
    """Set or rotate your tenant's key at ScaiGrid, which serves calls without a user.

    Without `base_url` an address set earlier stays; null goes back to the operator's ScaiGrid.
    """
    await credentials.set(caller, body, verify=verify)
