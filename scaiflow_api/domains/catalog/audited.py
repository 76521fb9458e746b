"""The audit records of actions on packages."""

from collections.abc import Mapping
from types import MappingProxyType

from scaiflow_api.db.audit import Action, Detail, Entry, state_hash
from scaiflow_api.db.models.catalog import CatalogPackage
from scaiflow_api.domains.catalog.repository import CatalogEntry


def package_entry(
    package: CatalogPackage,
    action: Action,
    *,
    before: str | None = None,
    after: str | None = None,
    flow_id: str | None = None,
    details: Mapping[str, Detail] = MappingProxyType({}),
) -> Entry:
    """Tell of something done to a package; `flow_id` is the flow that was published."""
    return Entry(
        tenant_id=package.tenant_id,
        action=action,
        target_type="package",
        target_id=package.package_id,
        flow_id=flow_id,
        before=before,
        after=after,
        details=details,
    )


def package_state(entry: CatalogEntry) -> str:
    """Return the hash of what a package is beside the files of its versions."""
    package = entry.package
    return state_hash(
        package_id=package.package_id,
        name=package.name,
        description=package.description,
        version=package.version,
        author_id=package.author_id,
        visibility=package.visibility,
        visibility_group_ids=entry.group_ids,
    )
