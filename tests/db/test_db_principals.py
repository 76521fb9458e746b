"""Roles that are given on the host, by several processes that start at once."""

import asyncio
from datetime import UTC, datetime

import pytest

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.principals import Principals
from scaiflow_api.db.session import Database

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize("already_known", [False, True])
async def test_a_role_given_by_many_at_once_is_given(database_url: str, already_known: bool) -> None:
    db = Database(database_url)
    principals = Principals(db)
    if already_known:
        await principals.add("tnt_acme", "usr_alice", email=None, name=None, now=NOW)

    await asyncio.gather(
        *(
            principals.grant("tnt_acme", "usr_alice", role, source="bootstrap", now=NOW)
            for role in [AdminRole.TENANT_ADMIN] * 8
        )
    )

    standing = await principals.find("tnt_acme", "usr_alice")
    assert standing is not None
    assert standing.admin_role is AdminRole.TENANT_ADMIN
    await db.close()
