"""Finding a package that a caller may use, reading what it holds, changing how it is shown, deleting it."""

import asyncio
import hashlib
from collections.abc import Sequence

from scaiflow_api.auth.acl import Level, level_of
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler.package import PackageRefused
from scaiflow_api.compiler.package_reader import Package, read_package
from scaiflow_api.db.audit import record
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogVersion
from scaiflow_api.db.session import Database
from scaiflow_api.domains.catalog.audited import package_entry, package_state
from scaiflow_api.domains.catalog.errors import (
    NotPackageAuthor,
    PackageDamaged,
    PackageNotFound,
    PackageVersionNotFound,
)
from scaiflow_api.domains.catalog.repository import CatalogEntry, CatalogRepository, Position
from scaiflow_api.domains.catalog.schemas import PackageUpdate
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.clock import Clock
from scaiflow_api.storage import PackageFiles


def held_on(caller: Caller, entry: CatalogEntry) -> Level | None:
    """Return `admin` for the author and administrators, `view` for those it is shown to; None: invisible."""
    package = entry.package
    granted = [Level.VIEW] if entry.is_shown else []
    return level_of(caller, tenant_id=package.tenant_id, owner_id=package.author_id, granted=granted)


class CatalogService:
    """Packages as a caller may see and change them."""

    def __init__(self, db: Database, files: PackageFiles, limits: Limits, clock: Clock) -> None:
        self._db = db
        self._files = files
        self._limits = limits
        self._clock = clock

    async def page(
        self, caller: Caller, *, after: Position | None, size: int
    ) -> tuple[list[CatalogEntry], Position | None]:
        """Return up to `size` visible packages, newest change first, and where the next page begins."""
        async with self._db.read() as session:
            entries = await CatalogRepository(session).page(caller, after=after, size=size)
        if len(entries) <= size:
            return entries, None
        last = entries[size - 1].package
        return entries[:size], Position(last.updated_at, last.id)

    async def open(
        self, caller: Caller, package_id: str, level: Level, *, tenant_id: str | None = None
    ) -> CatalogEntry:
        """Return a package, by default of the caller's tenant, if the caller holds `level` on it.

        Raises PackageNotFound where the caller may not even see it, and NotPackageAuthor where it sees but may not.
        """
        async with self._db.read() as session:
            entry = await CatalogRepository(session).find(tenant_id or caller.tenant_id, package_id, caller)
        held = held_on(caller, entry) if entry is not None else None
        if entry is None or held is None:
            raise PackageNotFound(package_id=package_id)
        if held < level:
            raise NotPackageAuthor(package_id=package_id)
        return entry

    async def versions(self, package: CatalogPackage) -> Sequence[CatalogVersion]:
        """Return the versions of a package, the one published last first."""
        async with self._db.read() as session:
            return await CatalogRepository(session).versions(package)

    async def file(self, package: CatalogPackage, version: str | None = None) -> tuple[str, bytes]:
        """Return a version (default: the last) and the bytes that were published under it.

        Raises PackageVersionNotFound, PackageDamaged, or the store's error; PackageNotFound when the package was
        deleted meanwhile.
        """
        version = version if version is not None else package.version
        async with self._db.read() as session:
            catalog = CatalogRepository(session)
            row = await catalog.find_version(package, version)
            if row is None and not await catalog.is_there(package):
                raise PackageNotFound(package_id=package.package_id)
        if row is None:
            raise PackageVersionNotFound(package_id=package.package_id, version=version)
        data = await self._files.read(package.tenant_id, package.package_id, version)
        if await asyncio.to_thread(_sha256, data) != row.sha256:
            raise _damaged(package, version, "its bytes are not those that were published")
        return version, data

    async def content(self, package: CatalogPackage, version: str | None = None) -> tuple[str, Package]:
        """Return a version (default: the last) and what is in its file, checked as if a stranger had made it.

        Raises what `file` does, and FlowTooLarge for a flow beyond the limits that hold now.
        """
        version, data = await self.file(package, version)
        try:
            return version, await asyncio.to_thread(read_package, data, limits=self._limits)
        except PackageRefused as refusal:
            raise _damaged(package, version, str(refusal)) from refusal

    async def update(self, caller: Caller, package: CatalogPackage, change: PackageUpdate) -> CatalogEntry:
        """Change what a package is called and whom it is shown to; its files stay. Raises PackageNotFound."""
        fields = change.model_dump(include={"name", "description", "visibility"}, exclude_none=True)
        async with self._db.write() as session:
            catalog, now = CatalogRepository(session), self._clock.now()
            row = await catalog.lock(package)
            before = await catalog.find(package.tenant_id, package.package_id, caller)
            if row is None or before is None:
                raise PackageNotFound(package_id=package.package_id)
            was = package_state(before)
            for field, value in fields.items():
                setattr(row, field, value)
            if change.visibility_group_ids is not None:
                await catalog.show_to(row, change.visibility_group_ids)
            changed = [*fields] + ["visibility_group_ids"] * (change.visibility_group_ids is not None)
            if changed:
                row.updated_at = now
            await session.flush()
            entry = await catalog.find(row.tenant_id, row.package_id, caller)
            assert entry is not None, "the row is locked"
            if changed:
                told = package_entry(
                    row,
                    "package.updated",
                    before=was,
                    after=package_state(entry),
                    details={"fields": changed},
                )
                await record(session, caller, told, now)
        return entry

    async def delete(self, caller: Caller, package: CatalogPackage) -> None:
        """Delete a package with all its versions. Raises PackageNotFound.

        Its objects stay until `scaiflow gc` collects them: deleting them here, and late, could hit those of a new
        package of the same id. So a new package does not get their numbers.
        """
        async with self._db.write() as session:
            catalog = CatalogRepository(session)
            row = await catalog.lock(package)
            entry = await catalog.find(package.tenant_id, package.package_id, caller)
            if row is None or entry is None:
                raise PackageNotFound(package_id=package.package_id)
            told = package_entry(row, "package.deleted", before=package_state(entry))
            await catalog.delete(row)
            await record(session, caller, told, self._clock.now())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged(package: CatalogPackage, version: str, reason: str) -> PackageDamaged:
    return PackageDamaged(package_id=package.package_id, version=version, reason=reason)
