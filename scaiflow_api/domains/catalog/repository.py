"""Questions about packages, as SQL. Every one names the tenants that it may reach."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, reads_of
from scaiflow_api.db.base import UTCDateTime
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogPackageGroup, CatalogVersion
from scaiflow_api.db.models.user import User


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    updated_at: datetime
    row_id: str


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A package with what stands in other tables."""

    package: CatalogPackage
    author_email: str | None
    group_ids: list[str]
    is_shown: bool
    """Whether the package's visibility alone lets the caller see it."""


class CatalogRepository:
    """Rows of packages within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, tenant_id: str, package_id: str, caller: Caller) -> CatalogEntry | None:
        """Return a package of one tenant, whoever may see it."""
        rows = _rows(caller).where(
            CatalogPackage.tenant_id == tenant_id, CatalogPackage.package_id == package_id
        )
        entries = await self._entries((await self._session.execute(rows)).all())
        return entries[0] if entries else None

    async def page(self, caller: Caller, *, after: Position | None, size: int) -> list[CatalogEntry]:
        """Return up to `size` + 1 visible packages, newest change first; the extra one tells of a next page."""
        rows = _visible(caller).order_by(CatalogPackage.updated_at.desc(), CatalogPackage.id.desc())
        if after is not None:
            rows = rows.where(
                tuple_(CatalogPackage.updated_at, CatalogPackage.id)
                < tuple_(literal(after.updated_at, UTCDateTime), literal(after.row_id))
            )
        return await self._entries((await self._session.execute(rows.limit(size + 1))).all())

    async def versions(self, package: CatalogPackage) -> Sequence[CatalogVersion]:
        """Return the versions of a package, the one published last first."""
        rows = select(CatalogVersion).where(CatalogVersion.catalog_package_id == package.id)
        newest_first = rows.order_by(CatalogVersion.created_at.desc(), CatalogVersion.version.desc())
        return (await self._session.scalars(newest_first)).all()

    async def find_version(self, package: CatalogPackage, version: str) -> CatalogVersion | None:
        return await self._session.get(CatalogVersion, (package.id, version))

    async def sha256_of(self, package: CatalogPackage, version: str) -> str | None:
        """Return the SHA-256 of a version in hex; None: there is none."""
        # Not the row: a session that holds it takes no other with its key, not even to have the database refuse it.
        rows = select(CatalogVersion.sha256).where(
            CatalogVersion.catalog_package_id == package.id, CatalogVersion.version == version
        )
        return await self._session.scalar(rows)

    async def is_there(self, seen: CatalogPackage) -> bool:
        """Tell whether a package was not deleted since it was `seen`."""
        rows = select(CatalogPackage.id).where(
            CatalogPackage.id == seen.id, CatalogPackage.tenant_id == seen.tenant_id
        )
        return await self._session.scalar(rows) is not None

    async def lock(self, seen: CatalogPackage) -> CatalogPackage | None:
        """Return the row as it is, and keep it so until the transaction ends; None: it was deleted."""
        rows = select(CatalogPackage).where(
            CatalogPackage.id == seen.id, CatalogPackage.tenant_id == seen.tenant_id
        )
        return await self._session.scalar(rows.with_for_update())

    async def add(self, row: CatalogPackage | CatalogVersion) -> None:
        """Insert a row. Raises IntegrityError where somebody was faster."""
        self._session.add(row)
        await self._session.flush()

    async def show_to(self, package: CatalogPackage, group_ids: Collection[str]) -> None:
        """Replace the groups of a package."""
        await self._session.execute(
            delete(CatalogPackageGroup).where(CatalogPackageGroup.catalog_package_id == package.id)
        )
        self._session.add_all(
            CatalogPackageGroup(catalog_package_id=package.id, group_id=group_id)
            for group_id in sorted(set(group_ids))
        )
        await self._session.flush()

    async def delete(self, package: CatalogPackage) -> None:
        """Delete a package that is locked, with its versions and groups."""
        for table in (CatalogVersion, CatalogPackageGroup):
            await self._session.execute(delete(table).where(table.catalog_package_id == package.id))
        await self._session.delete(package)

    async def _entries(self, rows: Sequence[Row[CatalogPackage, str | None, bool]]) -> list[CatalogEntry]:
        groups: dict[str, list[str]] = {package.id: [] for package, _, _ in rows}
        found = await self._session.execute(
            select(CatalogPackageGroup.catalog_package_id, CatalogPackageGroup.group_id)
            .where(CatalogPackageGroup.catalog_package_id.in_(list(groups)))
            .order_by(CatalogPackageGroup.group_id)
        )
        for row_id, group_id in found:
            groups[row_id].append(group_id)
        return [
            CatalogEntry(package, email, groups[package.id], bool(shown)) for package, email, shown in rows
        ]


def _rows(caller: Caller) -> Select[CatalogPackage, str | None, bool]:
    author = and_(User.tenant_id == CatalogPackage.tenant_id, User.id == CatalogPackage.author_id)
    return select(CatalogPackage, User.email, _shown_to(caller)).outerjoin(User, author)


def _visible(caller: Caller) -> Select[CatalogPackage, str | None, bool]:
    """The only place that decides which packages a list may show."""
    tenants = reads_of(caller)
    rows = _rows(caller)
    if tenants is ALL:
        return rows
    rows = rows.where(CatalogPackage.tenant_id == tenants)
    if caller.is_tenant_admin:
        return rows
    return rows.where(or_(CatalogPackage.author_id == caller.subject, _shown_to(caller)))


def _shown_to(caller: Caller) -> ColumnElement[bool]:
    to_all = CatalogPackage.visibility == "tenant"
    if not caller.groups:
        return to_all
    member = exists().where(
        CatalogPackageGroup.catalog_package_id == CatalogPackage.id,
        CatalogPackageGroup.group_id.in_(sorted(caller.groups)),
    )
    return or_(to_all, and_(CatalogPackage.visibility == "groups", member))
