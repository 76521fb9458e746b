"""Discovery documents and published keys, of the platform and of each tenant."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaikey.keys import ALGORITHM
from scaiflow_api.localgrid.scaikey.people import TENANTS, Tenant

router = APIRouter()

_CLAIMS = "iss aud sub exp iat auth_time nonce at_hash tenant_id email name groups"


async def _tenant_of(slug: str) -> Tenant:
    tenant = TENANTS.get(slug)
    if tenant is None:
        raise HTTPException(404, "Tenant not found")
    return tenant


TenantDep = Annotated[Tenant, Depends(_tenant_of)]


@router.get("/platform/oauth/.well-known/openid-configuration")
async def platform_discovery(grid: GridDep) -> dict[str, Any]:
    base = grid.config.scaikey_url
    api = f"{base}/api/v1/platform"
    return _document(base, f"{api}/oauth", f"{api}/.well-known/jwks.json")


@router.get("/auth/tenants/{slug}/.well-known/openid-configuration")
async def tenant_discovery(tenant: TenantDep, grid: GridDep) -> dict[str, Any]:
    base = grid.config.scaikey_url
    api = f"{base}/api/v1/auth/tenants/{tenant.slug}"
    return _document(f"{base}/tenants/{tenant.id}", f"{api}/oauth", f"{api}/.well-known/jwks.json")


@router.get("/platform/.well-known/jwks.json")
async def platform_keys(grid: GridDep) -> dict[str, Any]:
    return grid.keys.published()


@router.get("/auth/tenants/{slug}/.well-known/jwks.json")
async def tenant_keys(_: TenantDep, grid: GridDep) -> dict[str, Any]:
    return grid.keys.published()


def _document(issuer: str, oauth: str, keys: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{oauth}/authorize",
        "token_endpoint": f"{oauth}/token",
        "end_session_endpoint": f"{oauth}/logout",
        "jwks_uri": keys,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "select_account"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": _CLAIMS.split(),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
