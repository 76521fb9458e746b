"""What can go wrong before an upstream is asked."""

from scaiflow_api.kit.errors import AppError


class MissingCredentials(AppError):
    """Nothing to authenticate with at ScaiGrid: lookups and the ScaiCore proxies."""

    status, error = 412, "missing_credentials"
    template = "no ScaiGrid credentials for tenant '{tenant_id}'"
    fix = "Sign in with ScaiKey, or set this tenant's API key via POST /v1/tenants/me/scaigrid_credentials."
