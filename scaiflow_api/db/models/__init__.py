"""All tables; importing this package fills `Base.metadata`."""

from scaiflow_api.db.models.audit import AuditEvent, AuditHead
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogPackageGroup, CatalogVersion
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.directory import DirectoryState, WebhookEvent
from scaiflow_api.db.models.draft import SyncDocument, SyncUpdate
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowCount, FlowNameTail, FlowVersion
from scaiflow_api.db.models.group import Group, GroupNesting, Membership
from scaiflow_api.db.models.idempotency_key import IdempotencyKey
from scaiflow_api.db.models.lease import Lease
from scaiflow_api.db.models.tenant_secret import TenantSecret
from scaiflow_api.db.models.user import User

__all__ = [
    "AuditEvent",
    "AuditHead",
    "CatalogPackage",
    "CatalogPackageGroup",
    "CatalogVersion",
    "Deployment",
    "DirectoryState",
    "Flow",
    "FlowAcl",
    "FlowCount",
    "FlowNameTail",
    "FlowVersion",
    "Group",
    "GroupNesting",
    "IdempotencyKey",
    "Lease",
    "Membership",
    "SyncDocument",
    "SyncUpdate",
    "TenantSecret",
    "User",
    "WebhookEvent",
]
