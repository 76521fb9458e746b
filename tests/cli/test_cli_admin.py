"""`scaiflow admin grant`: the first administrator, appointed on the host."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaiflow_api.db.models.user import User
from scaiflow_api.db.schema import upgrade
from scaiflow_api.db.session import Database
from scaiflow_api.kit.clock import SystemClock

Scaiflow = Callable[..., Any]
People = Callable[[], dict[str, str | None]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("admin") / "template.db"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def people(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> People:
    """A database with people; tells who was granted what, and where that comes from."""
    path = tmp_path / "people.db"
    shutil.copy(template, path)
    url = f"sqlite+aiosqlite:///{path}"
    monkeypatch.setenv("SCAIFLOW_DB_URL", url)
    now = SystemClock().now()
    rows = [
        ("tnt_acme", "usr_ann", "Ann@Example.org", None, None),
        ("tnt_globex", "usr_ann2", "ann@example.org", None, None),
        ("tnt_acme", "usr_bob", "bob@example.org", None, None),
        ("tnt_acme", "usr_boss", "boss@example.org", "super_admin", None),
        ("tnt_acme", "usr_gone", "gone@example.org", None, now),
        ("tnt_acme", "usr_x1", "twice@example.org", None, None),
        ("tnt_acme", "usr_x2", "twice@example.org", None, None),
    ]

    async def fill() -> None:
        db = Database(url)
        async with db.write() as session:
            for tenant_id, user_id, email, role, deleted_at in rows:
                session.add(
                    User(
                        tenant_id=tenant_id,
                        id=user_id,
                        email=email,
                        status="ACTIVE",
                        manual_role=role,
                        manual_role_source="manual" if role else None,
                        created_at=now,
                        deleted_at=deleted_at,
                    )
                )
        await db.close()

    async def roles() -> dict[str, str | None]:
        db = Database(url)
        async with db.read() as session:
            users = [await session.get(User, row[:2]) for row in rows]
        await db.close()
        return {
            user.id: f"{user.manual_role} {user.manual_role_source}"
            for user in users
            if user and user.manual_role
        }

    asyncio.run(fill())
    return lambda: asyncio.run(roles())


def grant(scaiflow: Scaiflow, who: str, *options: str, role: str = "super_admin") -> tuple[int, str]:
    done = scaiflow("admin", "grant", who, "--role", role, *options)
    return done.code, done.errors.strip()


BOSS = {"usr_boss": "super_admin manual"}


@pytest.mark.parametrize("who", ["bob@example.org", "BOB@example.ORG", "usr_bob"])
def test_somebody_is_appointed_by_address_or_id(scaiflow: Scaiflow, people: People, who: str) -> None:
    assert grant(scaiflow, who) == (0, "usr_bob of tnt_acme is super_admin")
    assert people() == {**BOSS, "usr_bob": "super_admin bootstrap"}


def test_an_address_of_several_tenants_needs_the_tenant(scaiflow: Scaiflow, people: People) -> None:
    code, said = grant(scaiflow, "ann@example.org", role="tenant_admin")
    assert code == 1
    assert "usr_ann of tnt_acme, usr_ann2 of tnt_globex" in said
    assert people() == BOSS

    assert grant(scaiflow, "ann@example.org", "--tenant", "tnt_globex", role="tenant_admin")[0] == 0
    assert people() == {**BOSS, "usr_ann2": "tenant_admin bootstrap"}


def test_two_people_of_one_tenant_are_told_apart_by_id(scaiflow: Scaiflow, people: People) -> None:
    assert grant(scaiflow, "twice@example.org", "--tenant", "tnt_acme")[0] == 1
    assert grant(scaiflow, "usr_x2", "--tenant", "tnt_acme")[0] == 0
    assert people() == {**BOSS, "usr_x2": "super_admin bootstrap"}


def test_a_higher_role_is_kept(scaiflow: Scaiflow, people: People) -> None:
    assert grant(scaiflow, "boss@example.org", role="tenant_admin") == (
        0,
        "usr_boss of tnt_acme is super_admin",
    )
    assert people() == BOSS


@pytest.mark.parametrize("who", ["nobody@example.org", "gone@example.org", "%", ""])
def test_nobody_is_appointed_who_is_not_there(scaiflow: Scaiflow, people: People, who: str) -> None:
    code, said = grant(scaiflow, who)

    assert (code, "nobody is known" in said) == (1, True)
    assert people() == BOSS


@pytest.mark.usefixtures("people")
def test_a_role_must_be_one(scaiflow: Scaiflow) -> None:
    assert scaiflow("admin", "grant", "usr_bob", "--role", "god").code == 2
    assert scaiflow("admin", "grant", "usr_bob").code == 2
    assert scaiflow("admin").code == 2


def test_a_database_without_tables_is_explained(
    scaiflow: Scaiflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    code, said = grant(scaiflow, "usr_bob")

    assert (code, "scaiflow migrate" in said) == (1, True)
