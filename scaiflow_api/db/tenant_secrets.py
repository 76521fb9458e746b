"""Keeping secrets of tenants in our own database, encrypted with a key that is not in it."""

from collections.abc import Mapping

import orjson
from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.models.tenant_secret import TenantSecret
from scaiflow_api.db.sealing import Sealer
from scaiflow_api.db.session import Database
from scaiflow_api.kit.secrets import Secret


class StoredSecrets:
    """A `TenantSecrets`. Raises SecretUnreadable, DatabaseUnavailable."""

    def __init__(self, db: Database, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer

    async def read(self, tenant_id: str, name: str) -> Secret | None:
        """Return a secret; None where there is none."""
        columns = select(TenantSecret.sealed, TenantSecret.version)
        async with self._db.read() as session:
            row = (await session.execute(columns.where(*_at(tenant_id, name)))).one_or_none()
        if row is None:
            return None
        return Secret(orjson.loads(self._sealer.open(row.sealed, _place(tenant_id, name))), row.version)

    async def write(self, tenant_id: str, name: str, data: Mapping[str, str | None]) -> int:
        """Keep `data` in place of what was there, and return the number of this version."""
        sealed = self._sealer.seal(orjson.dumps(dict(data)), _place(tenant_id, name))
        return await self._insert(tenant_id, name, sealed) or await self._replace(tenant_id, name, sealed)

    async def _insert(self, tenant_id: str, name: str, sealed: bytes) -> int | None:
        """Write version 1; None: there is one."""
        # Looking first: two failed inserts of the same row can be a deadlock on MariaDB.
        async with self._db.read() as session:
            known = await session.scalar(select(TenantSecret.version).where(*_at(tenant_id, name)))
        if known is not None:
            return None
        row = insert(TenantSecret).values(tenant_id=tenant_id, name=name, version=1, sealed=sealed)
        try:
            async with self._db.write() as session:
                await session.execute(row)
        except IntegrityError:
            return None
        return 1

    async def _replace(self, tenant_id: str, name: str, sealed: bytes) -> int:
        changed = update(TenantSecret).values(version=TenantSecret.version + 1, sealed=sealed)
        async with self._db.write() as session:
            await session.execute(
                changed.where(*_at(tenant_id, name)).execution_options(synchronize_session=False)
            )
            version = await session.scalar(select(TenantSecret.version).where(*_at(tenant_id, name)))
        assert version is not None, "secrets are never removed"
        return version


def _at(tenant_id: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return TenantSecret.tenant_id == tenant_id, TenantSecret.name == name


def _place(tenant_id: str, name: str) -> bytes:
    return orjson.dumps([tenant_id, name])
