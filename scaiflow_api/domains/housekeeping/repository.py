"""Which objects rows name, as SQL. Housekeeping is about all tenants; each question is about one page of objects."""

from collections.abc import Collection
from typing import TypeAlias

from sqlalchemy import Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.models.catalog import CatalogPackage, CatalogVersion
from scaiflow_api.db.models.flow import Flow, FlowVersion

Place: TypeAlias = tuple[str, str, str]
"""Tenant, flow or package, and version."""


async def named_flow_versions(session: AsyncSession, asked: Collection[Place]) -> set[Place]:
    """Return those of the places that a row names, of flows deleted or not."""
    _, flow_ids, versions = _apart(asked)
    # By id alone: told of the tenant too, SQLite would walk through all flows of that tenant.
    listed = (
        select(Flow.tenant_id, FlowVersion.flow_id, FlowVersion.version)
        .join(FlowVersion, FlowVersion.flow_id == Flow.id)
        .where(Flow.id.in_(flow_ids), FlowVersion.version.in_(versions))
    )
    current = select(Flow.tenant_id, Flow.id, Flow.version).where(Flow.id.in_(flow_ids))
    return await _found(session, listed, current)


async def named_package_versions(session: AsyncSession, asked: Collection[Place]) -> set[Place]:
    """Return those of the places that a row names."""
    tenant_ids, package_ids, versions = _apart(asked)
    own = CatalogPackage.tenant_id.in_(tenant_ids), CatalogPackage.package_id.in_(package_ids)
    listed = (
        select(CatalogPackage.tenant_id, CatalogPackage.package_id, CatalogVersion.version)
        .join(CatalogVersion, CatalogVersion.catalog_package_id == CatalogPackage.id)
        .where(*own, CatalogVersion.version.in_(versions))
    )
    current = select(CatalogPackage.tenant_id, CatalogPackage.package_id, CatalogPackage.version).where(*own)
    return await _found(session, listed, current)


def _apart(asked: Collection[Place]) -> list[list[str]]:
    """Return the parts as lists: all three databases look up lists by index, not all of them a list of tuples."""
    return [sorted(set(part)) for part in zip(*asked, strict=True)]


async def _found(session: AsyncSession, *questions: Select[str, str, str]) -> set[Place]:
    rows = await session.execute(union_all(*questions))
    return {(tenant_id, id_, version) for tenant_id, id_, version in rows}
