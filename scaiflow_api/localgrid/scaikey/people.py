"""The demo tenants, people, groups and clients that a new grid begins with, and what each may do in ScaiGrid."""

from collections.abc import Iterable
from dataclasses import dataclass

from scaiflow_api.localgrid.config import GridConfig


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group as a new grid has it; afterwards the directory knows."""

    id: str
    tenant_id: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a service account of one tenant, with its rights in ScaiGrid. Tokens never carry the rights."""

    id: str
    tenant: Tenant
    email: str
    name: str
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    groups: tuple[str, ...] = ()
    """Ids of the groups it belongs to, directly or through a group inside."""

    @property
    def short_name(self) -> str:
        """What people type: `alice` for `usr_alice`."""
        return self.id.partition("_")[2]


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client. Without a tenant it is a platform (GLOBAL) client."""

    id: str
    secret: str
    tenant: Tenant | None
    redirect_uris: tuple[str, ...]
    user_scopes: frozenset[str]
    """What a person's token may carry; empty: the client cannot sign people in."""
    service_scopes: tuple[str, ...]
    """What the client's own token carries, and gets in full when it asks for none."""


ACME = Tenant("tnt_acme", "acme", "Acme")
GLOBEX = Tenant("tnt_globex", "globex", "Globex")
PLATFORM = Tenant("tnt_platform", "platform", "Platform")
TENANTS = {tenant.slug: tenant for tenant in (ACME, GLOBEX, PLATFORM)}
TENANTS_BY_ID = {tenant.id: tenant for tenant in TENANTS.values()}

_VIEWER = ("models:list", "accounting:view_own")
_USER = (*_VIEWER, "models:use", "api_keys:manage", "modules:use")
_TENANT_ADMIN = (
    *_USER,
    *("routing:view", "accounting:view_tenant", "accounting:manage_budgets", "users:manage"),
    *("webhooks:manage", "modules:manage", "admin:access"),
)
_SCAICORE = tuple(
    f"scaicore:{key}" for key in ("view", "manage", "debug", "checkpoint_resolve", "delegate", "admin")
)
_SCAIQUEUE = tuple(f"scaiqueue:{key}" for key in ("view", "publish", "consume", "manage"))
_SCAIBUNKER = tuple(
    f"scaibunker:{key}"
    for key in (
        *("create", "create:session", "create:persistent", "execute", "shell", "files", "root"),
        *("network:registry", "network:allowlisted", "network:unrestricted", "network:transit"),
        *("l2_transparency", "images:manage", "admin", "admin:tenant"),
    )
)
_MODULES = (*_SCAICORE, *_SCAIQUEUE, *_SCAIBUNKER)
_DEVELOPER = (
    *_USER,
    *(
        "scaicore:view",
        "scaicore:manage",
        "scaicore:checkpoint_resolve",
        "scaiqueue:view",
        "scaiqueue:manage",
    ),
)
_LOOKER = (*_VIEWER, "scaicore:view", "scaiqueue:view")
_PLATFORM_ONLY = ("accounting:view_partner", "routing:manage", "scaibunker:admin:platform")


def _principal(key: str, tenant: Tenant, name: str, role: str, permissions: Iterable[str]) -> Principal:
    address = f"{key.partition('_')[2]}@{tenant.slug}.example"
    return Principal(key, tenant, address, name, (role,), tuple(sorted(permissions)))


SERVICE = _principal("svc_ci", ACME, "Acme CI", "tenant_user", _DEVELOPER)
"""Acme's service account; the optional API key of the configuration belongs to it as well."""

PEOPLE = tuple(
    _principal(*row)
    for row in (
        ("usr_alice", ACME, "Alice Archer", "tenant_admin", (*_TENANT_ADMIN, *_MODULES, "models:manage")),
        ("usr_bob", ACME, "Bob Baker", "tenant_user", _DEVELOPER),
        ("usr_carol", ACME, "Carol Cook", "tenant_viewer", _LOOKER),
        ("usr_dave", GLOBEX, "Dave Draper", "tenant_user", _DEVELOPER),
        (
            "usr_root",
            PLATFORM,
            "Root Operator",
            "super_admin",
            (*_TENANT_ADMIN, *_MODULES, "models:manage", *_PLATFORM_ONLY),
        ),
    )
)
GROUPS = (
    Group("grp_eng", ACME.id, "Engineering", ("usr_alice", "usr_bob")),
    Group("grp_ops", ACME.id, "Operations", ("usr_carol",)),
)
_BY_ID = {person.id: person for person in PEOPLE}


def rights_of(user_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return roles and permissions in ScaiGrid. A person who is not a demo person has the permissions of Carol."""
    known = _BY_ID.get(user_id)
    return (known.roles, known.permissions) if known else (("tenant_viewer",), tuple(sorted(_LOOKER)))


SERVICE_SECRET = "svc-ci-local-only"  # noqa: S105 - opens nothing but a demo tenant on this machine

ADMIN_CLIENT = "scaikey-admin"
"""A platform client that may change people and groups, for tests and for trying things out."""
ADMIN_SECRET = "scaikey-admin-local-only"  # noqa: S105 - opens nothing but the demo people of this machine

USER_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})


def clients(config: GridConfig) -> dict[str, Client]:
    """Return every registered client by its id."""
    api = Client(
        id=config.api_client_id,
        secret=config.api_client_secret,
        tenant=None,
        redirect_uris=config.redirect_uris,
        user_scopes=USER_SCOPES,
        service_scopes=(
            *("admin:read", "users:read", "groups:read"),
            *("secrets:read", "secrets:write", "secrets:delete"),
        ),
    )
    service = Client(
        id=SERVICE.id,
        secret=SERVICE_SECRET,
        tenant=ACME,
        redirect_uris=(),
        user_scopes=frozenset(),
        service_scopes=("openid", "profile", "email"),
    )
    admin = Client(
        id=ADMIN_CLIENT,
        secret=ADMIN_SECRET,
        tenant=None,
        redirect_uris=(),
        user_scopes=frozenset(),
        service_scopes=("admin:read", "admin:write"),
    )
    return {client.id: client for client in (service, admin, api)}
