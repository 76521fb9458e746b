"""Admin lists of groups and their members, and what an administrator does to them."""

import sqlite3
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaikey.directory import GROUP, USER, full_name, group_json, moment
from scaiflow_api.localgrid.scaikey.paging import PageDep, listed
from scaiflow_api.localgrid.scaikey.people import TENANTS_BY_ID
from scaiflow_api.localgrid.scaikey.platform import ReadsGroups, Writes
from scaiflow_api.localgrid.scaikey.webhooks import announce

router = APIRouter(prefix="/admin/groups")

Text = Annotated[str, Field(min_length=1, max_length=200)]
GroupId = Annotated[str, Path(min_length=1, max_length=128)]

_MEMBERS = """FROM (
  SELECT member_id AS id, member_type, added_at, email, status, first_name, last_name, NULL AS name
  FROM group_members JOIN users ON users.id = member_id
  WHERE group_id = ? AND member_type = 'user' AND deleted_at IS NULL
  UNION ALL
  SELECT member_id, member_type, added_at, NULL, NULL, NULL, NULL, name
  FROM group_members JOIN groups ON groups.id = member_id
  WHERE group_id = ? AND member_type = 'group' AND deleted_at IS NULL
)"""


class GroupCreate(BaseModel):
    """A new group."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tenant_id: Text
    name: Text


class GroupPatch(BaseModel):
    """A group's new name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Text


class MemberAdd(BaseModel):
    """A person, or a group inside the group."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user_id: Text | None = None
    group_id: Text | None = None


@router.get("/")
async def list_groups(
    _: ReadsGroups, grid: GridDep, asked: PageDep, tenant_id: str | None = None, search: str = ""
) -> dict[str, Any]:
    origin = (
        "FROM groups WHERE deleted_at IS NULL AND (? IS NULL OR tenant_id = ?)"
        " AND instr(lower(name), lower(?))"
    )
    values = (tenant_id, tenant_id, search)
    return (await listed(grid.store, "*", origin, values, asked, group_json)).as_items()


@router.post("/", status_code=201)
async def create_group(_: Writes, body: GroupCreate, grid: GridDep) -> dict[str, Any]:
    if body.tenant_id not in TENANTS_BY_ID:
        raise HTTPException(404, "Tenant not found")
    group_id = new_id("grp")

    def add(connection: sqlite3.Connection) -> dict[str, Any]:
        connection.execute(
            "INSERT INTO groups VALUES (?, ?, ?, ?, NULL)",
            (group_id, body.tenant_id, body.name, moment(grid.clock)),
        )
        return _announced(connection, grid, "group.created", _found(connection, group_id))

    return await grid.change_directory(add)


@router.get("/{group_id}")
async def read_group(_: ReadsGroups, group_id: GroupId, grid: GridDep) -> dict[str, Any]:
    return group_json(await grid.store.read(lambda connection: _found(connection, group_id)))


@router.patch("/{group_id}")
async def rename_group(_: Writes, group_id: GroupId, body: GroupPatch, grid: GridDep) -> dict[str, Any]:
    def rename(connection: sqlite3.Connection) -> dict[str, Any]:
        _found(connection, group_id)
        connection.execute("UPDATE groups SET name = ? WHERE id = ?", (body.name, group_id))
        return _announced(connection, grid, "group.updated", _found(connection, group_id))

    return await grid.change_directory(rename)


@router.delete("/{group_id}", status_code=204)
async def delete_group(_: Writes, group_id: GroupId, grid: GridDep) -> None:
    def delete(connection: sqlite3.Connection) -> None:
        row = _found(connection, group_id)
        connection.execute("UPDATE groups SET deleted_at = ? WHERE id = ?", (moment(grid.clock), group_id))
        connection.execute("DELETE FROM group_members WHERE ? IN (group_id, member_id)", (group_id,))
        _announced(connection, grid, "group.deleted", row)

    await grid.change_directory(delete)


@router.get("/{group_id}/members")
async def list_members(_: ReadsGroups, group_id: GroupId, grid: GridDep, asked: PageDep) -> dict[str, Any]:
    """List direct members: people and groups inside."""
    await grid.store.read(lambda connection: _found(connection, group_id))
    return (await listed(grid.store, "*", _MEMBERS, (group_id, group_id), asked, _member_json)).as_items()


@router.post("/{group_id}/members", status_code=204)
async def add_member(_: Writes, group_id: GroupId, body: MemberAdd, grid: GridDep) -> None:
    """Add a person or a group of the same tenant; one that is a member already stays one."""
    if (body.user_id is None) == (body.group_id is None):
        raise HTTPException(400, "Name either user_id or group_id")
    member_type, table = (USER, "users") if body.user_id else (GROUP, "groups")
    member_id = body.user_id or body.group_id

    def add(connection: sqlite3.Connection) -> None:
        group = _found(connection, group_id)
        member = connection.execute(
            f"SELECT 1 FROM {table} WHERE id = ? AND tenant_id = ? AND deleted_at IS NULL",  # noqa: S608
            (member_id, group["tenant_id"]),
        ).fetchone()
        if member is None or member_id == group_id:
            raise HTTPException(404, "There is no such member in this tenant")
        connection.execute(
            "INSERT OR IGNORE INTO group_members VALUES (?, ?, ?, ?)",
            (group_id, member_type, member_id, moment(grid.clock)),
        )
        _announced(connection, grid, "group.member_added", group, {f"{member_type}_id": member_id})

    await grid.change_directory(add)


@router.delete("/{group_id}/members/{member_id}", status_code=204)
async def remove_member(_: Writes, group_id: GroupId, member_id: str, grid: GridDep) -> None:
    def remove(connection: sqlite3.Connection) -> None:
        group = _found(connection, group_id)
        removed = connection.execute(
            "DELETE FROM group_members WHERE group_id = ? AND member_id = ? RETURNING member_type",
            (group_id, member_id),
        ).fetchall()
        if not removed:
            raise HTTPException(404, "Member not found")
        member = {f"{removed[0]['member_type']}_id": member_id}
        _announced(connection, grid, "group.member_removed", group, member)

    await grid.change_directory(remove)


def _member_json(row: sqlite3.Row) -> dict[str, Any]:
    told = {"member_type": row["member_type"], "membership_type": "DIRECT", "added_at": row["added_at"]}
    if row["member_type"] == GROUP:
        return {**told, "group_id": row["id"], "name": row["name"]}
    person = {"user_id": row["id"], "email": row["email"], "status": row["status"]}
    return {**told, **person, "display_name": full_name(row)}


def _found(connection: sqlite3.Connection, group_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM groups WHERE id = ? AND deleted_at IS NULL", (group_id,)
    ).fetchone()
    if row is None:
        raise HTTPException(404, "Group not found")
    return row


def _announced(
    connection: sqlite3.Connection,
    grid: Grid,
    event_type: str,
    row: sqlite3.Row,
    member: Mapping[str, str | None] | None = None,
) -> dict[str, Any]:
    """Write the event down and return the group as it goes on the wire.

    The group's id is `id` in events about the group, and `group_id` in events about a person in it. A group inside
    is told as `member_id` of `member_type` group.
    """
    if member is None:
        data: dict[str, Any] = {"id": row["id"], "name": row["name"]}
    elif "user_id" in member:
        data = {"group_id": row["id"], **member}
    else:
        data = {"group_id": row["id"], "member_type": GROUP, "member_id": member["group_id"]}
    event = {
        "resource": {"type": "group", "id": row["id"]},
        "data": data,
        "tenant_id": row["tenant_id"],
    }
    announce(connection, grid.clock, event_type, event)
    return group_json(row)
