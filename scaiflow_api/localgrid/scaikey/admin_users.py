"""Admin lists of tenants and people, and what an administrator does to a person."""

import sqlite3
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaikey.applications import is_registered
from scaiflow_api.localgrid.scaikey.directory import ACTIVE, SUSPENDED, moment, user_json
from scaiflow_api.localgrid.scaikey.paging import Listed, Page, PageDep, listed
from scaiflow_api.localgrid.scaikey.people import SERVICE, TENANTS, TENANTS_BY_ID
from scaiflow_api.localgrid.scaikey.platform import ReadsAll, ReadsUsers, Writes
from scaiflow_api.localgrid.scaikey.webhooks import announce

router = APIRouter()

Text = Annotated[str, Field(min_length=1, max_length=200)]
UserId = Annotated[str, Path(min_length=1, max_length=128)]


class UserCreate(BaseModel):
    """A new person."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tenant_id: Text
    email: Text
    first_name: Text
    last_name: str = Field(default="", max_length=200)


class UserPatch(BaseModel):
    """What changes of a person."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: Text | None = None
    first_name: Text | None = None
    last_name: str | None = Field(default=None, max_length=200)
    status: Literal["ACTIVE", "SUSPENDED"] | None = None


@router.get("/admin/tenants/")
async def list_tenants(_: ReadsAll, asked: PageDep) -> dict[str, Any]:
    rows = [
        {"id": tenant.id, "slug": tenant.slug, "name": tenant.name, "status": ACTIVE}
        for tenant in sorted(TENANTS.values(), key=lambda tenant: tenant.id)
    ]
    start = (asked.page - 1) * asked.per_page
    return Listed(asked, rows[start : start + asked.per_page], len(rows)).as_items()


@router.get("/admin/users/")
async def list_users(
    _: ReadsUsers,
    grid: GridDep,
    asked: PageDep,
    tenant_id: str | None = None,
    status: str | None = None,
    search: str = "",
) -> dict[str, Any]:
    origin = (
        "FROM users WHERE deleted_at IS NULL AND (? IS NULL OR tenant_id = ?) AND (? IS NULL OR status = ?)"
        " AND instr(lower(email || ' ' || first_name || ' ' || last_name), lower(?))"
    )
    values = (tenant_id, tenant_id, status, status, search)
    return (await listed(grid.store, "*", origin, values, asked, user_json)).as_items()


@router.get("/tenants/{tenant_id}/applications/{application_id}/effective-users")
async def effective_users(
    _: ReadsAll, tenant_id: str, application_id: str, grid: GridDep, asked: PageDep
) -> dict[str, Any]:
    """List who may use an application. Here every application is open to everybody in the tenant."""
    if tenant_id not in TENANTS_BY_ID:
        raise HTTPException(404, "Tenant not found")
    is_client = application_id == "me" or application_id in grid.clients
    if not is_client and not await is_registered(grid.store, application_id):
        raise HTTPException(404, "Application not found")
    return (await _of_tenant(grid, tenant_id, asked)).as_data()


async def _of_tenant(grid: Grid, tenant_id: str, asked: Page) -> Listed:
    origin = "FROM users WHERE deleted_at IS NULL AND tenant_id = ?"
    return await listed(grid.store, "*", origin, (tenant_id,), asked, user_json)


@router.post("/admin/users/", status_code=201)
async def create_user(_: Writes, body: UserCreate, grid: GridDep) -> dict[str, Any]:
    if body.tenant_id not in TENANTS_BY_ID:
        raise HTTPException(404, "Tenant not found")
    values = (new_id("usr"), body.tenant_id, body.email, body.first_name, body.last_name, ACTIVE)

    def add(connection: sqlite3.Connection) -> dict[str, Any]:
        connection.execute(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", (*values, moment(grid.clock))
        )
        return _announced(connection, grid, "user.created", _found(connection, values[0]))

    return await grid.change_directory(add)


@router.get("/admin/users/{user_id}")
async def read_user(_: ReadsUsers, user_id: UserId, grid: GridDep) -> dict[str, Any]:
    return user_json(await grid.store.read(lambda connection: _found(connection, user_id)))


@router.patch("/admin/users/{user_id}")
async def change_user(_: Writes, user_id: UserId, body: UserPatch, grid: GridDep) -> dict[str, Any]:
    return await _change(grid, user_id, "user.updated", **body.model_dump(exclude_none=True))


@router.post("/admin/users/{user_id}/suspend")
async def suspend_user(_: Writes, user_id: UserId, grid: GridDep) -> dict[str, Any]:
    return await _change(grid, user_id, "user.suspended", status=SUSPENDED)


@router.post("/admin/users/{user_id}/activate")
async def activate_user(_: Writes, user_id: UserId, grid: GridDep) -> dict[str, Any]:
    return await _change(grid, user_id, "user.activated", status=ACTIVE)


@router.delete("/admin/users/{user_id}", status_code=204)
async def delete_user(_: Writes, user_id: UserId, grid: GridDep) -> None:
    """Delete softly: the person is in no list and cannot sign in any more."""
    await _change(grid, user_id, "user.deleted", deleted_at=moment(grid.clock))


async def _change(grid: Grid, user_id: str, event_type: str, **values: str) -> dict[str, Any]:
    if user_id == SERVICE.id:
        raise HTTPException(409, "The service account of the demo stays as it is")

    def change(connection: sqlite3.Connection) -> dict[str, Any]:
        _found(connection, user_id)
        for column, value in values.items():
            connection.execute(f"UPDATE users SET {column} = ? WHERE id = ?", (value, user_id))  # noqa: S608
        row = connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
        return _announced(connection, grid, event_type, row)

    return await grid.change_directory(change)


def _found(connection: sqlite3.Connection, user_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM users WHERE id = ? AND deleted_at IS NULL", (user_id,)
    ).fetchone()
    if row is None:
        raise HTTPException(404, "User not found")
    return row


def _announced(
    connection: sqlite3.Connection, grid: Grid, event_type: str, row: sqlite3.Row
) -> dict[str, Any]:
    """Write the event down and return the user as it goes on the wire."""
    tenant = TENANTS_BY_ID[row["tenant_id"]]
    told = {key: row[key] for key in ("id", "email", "first_name", "last_name", "status")}
    event = {
        "resource": {"type": "user", "id": row["id"]},
        "data": {**told, "tenant": {"id": tenant.id, "name": tenant.name, "slug": tenant.slug}},
        "tenant_id": tenant.id,
    }
    announce(connection, grid.clock, event_type, event)
    return user_json(row)
