"""Secrets of tenants in our own database: encrypted, bound to their place, in versions."""

import asyncio
import os

import pytest
from sqlalchemy import select, update

from scaiflow_api.db.models.tenant_secret import TenantSecret
from scaiflow_api.db.sealing import Sealer, SecretUnreadable
from scaiflow_api.db.session import Database
from scaiflow_api.db.tenant_secrets import StoredSecrets

KEY, OTHER_KEY = os.urandom(32), os.urandom(32)


@pytest.fixture
def secrets(db: Database) -> StoredSecrets:
    return StoredSecrets(db, Sealer([KEY]))


async def sealed(db: Database) -> dict[tuple[str, str], bytes]:
    async with db.read() as session:
        rows = await session.execute(select(TenantSecret.tenant_id, TenantSecret.name, TenantSecret.sealed))
        return {(row.tenant_id, row.name): row.sealed for row in rows}


async def test_what_was_written_last_is_read(secrets: StoredSecrets) -> None:
    assert await secrets.read("tnt_a", "key") is None
    assert await secrets.write("tnt_a", "key", {"value": "one", "base_url": None}) == 1
    assert await secrets.write("tnt_a", "key", {"value": "two"}) == 2

    found = await secrets.read("tnt_a", "key")
    assert found is not None
    assert (dict(found.data), found.version) == ({"value": "two"}, 2)


async def test_tenants_and_names_are_apart_by_every_letter(secrets: StoredSecrets) -> None:
    await secrets.write("tnt_a", "key", {"value": "one"})

    for place in (("TNT_A", "key"), ("tnt_a", "KEY"), ("tnt_b", "key")):
        assert await secrets.read(*place) is None


async def test_nothing_readable_is_kept_and_equal_secrets_look_different(
    secrets: StoredSecrets, db: Database
) -> None:
    for tenant in ("tnt_a", "tnt_b"):
        await secrets.write(tenant, "key", {"value": "sgk_precious"})

    kept = list((await sealed(db)).values())
    assert all(b"precious" not in text for text in kept)
    assert kept[0][17:] != kept[1][17:]


async def test_a_row_that_was_moved_or_changed_is_not_read(secrets: StoredSecrets, db: Database) -> None:
    await secrets.write("tnt_a", "key", {"value": "one"})
    await secrets.write("tnt_b", "key", {"value": "two"})
    stolen = (await sealed(db))["tnt_b", "key"]
    for text in (stolen, stolen[:-1], b"", b"\x02" + stolen[1:], stolen[:1] + bytes(4) + stolen[5:]):
        async with db.write() as session:
            await session.execute(
                update(TenantSecret).where(TenantSecret.tenant_id == "tnt_a").values(sealed=text)
            )
        with pytest.raises(SecretUnreadable):
            await secrets.read("tnt_a", "key")


async def test_a_new_key_encrypts_and_the_old_one_still_reads(db: Database) -> None:
    await StoredSecrets(db, Sealer([KEY])).write("tnt_a", "key", {"value": "one"})
    both = StoredSecrets(db, Sealer([OTHER_KEY, KEY]))
    found = await both.read("tnt_a", "key")
    assert found is not None
    await both.write("tnt_a", "key", {"value": "two"})

    assert await StoredSecrets(db, Sealer([OTHER_KEY])).read("tnt_a", "key") is not None
    with pytest.raises(SecretUnreadable):
        await StoredSecrets(db, Sealer([KEY])).read("tnt_a", "key")


async def test_those_who_write_at_once_get_a_version_each(secrets: StoredSecrets) -> None:
    versions = await asyncio.gather(
        *(secrets.write("tnt_a", "key", {"value": str(number)}) for number in range(8))
    )

    assert sorted(versions) == list(range(1, 9))
