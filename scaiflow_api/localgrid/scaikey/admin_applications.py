"""Admin routes of applications: registering an OAuth client, changing it, and giving it a new secret."""

import json
import re
import sqlite3
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.config import require_return_address
from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaikey.applications import client_of, new_secret
from scaiflow_api.localgrid.scaikey.directory import moment
from scaiflow_api.localgrid.scaikey.issue import LIFE_S
from scaiflow_api.localgrid.scaikey.paging import PageDep, listed
from scaiflow_api.localgrid.scaikey.platform import ReadsAll, Writes

router = APIRouter(prefix="/admin/applications")

_SCOPE = re.compile(r"[a-z_]{1,32}(:[a-z_]{1,32})?", re.ASCII)


def _return_address(uri: str) -> str:
    require_return_address(uri)
    return uri


def _scope(text: str) -> str:
    if not _SCOPE.fullmatch(text):
        raise ValueError("no scope")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200)]
Addresses = Annotated[
    list[Annotated[str, Field(max_length=2000), AfterValidator(_return_address)]], Field(max_length=20)
]
Scopes = Annotated[list[Annotated[str, AfterValidator(_scope)]], Field(max_length=50)]


class ApplicationCreate(BaseModel):
    """A new confidential client of the platform. Other types and scopes are not there yet."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name
    application_type: Literal["WEB", "SERVICE"]
    scope: Literal["GLOBAL"]
    redirect_uris: Addresses = []
    allowed_scopes: Scopes = ["openid", "profile", "email"]


class ApplicationPatch(BaseModel):
    """What changes of an application. A list is replaced as a whole."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name | None = None
    redirect_uris: Addresses | None = None
    allowed_scopes: Scopes | None = None


@router.get("/")
async def list_applications(
    _: ReadsAll, grid: GridDep, asked: PageDep, application_type: str | None = None, search: str = ""
) -> dict[str, Any]:
    """List what was registered; the clients of the configuration are not in it."""
    origin = (
        "FROM applications WHERE deleted_at IS NULL AND (? IS NULL OR application_type = ?)"
        " AND instr(lower(name || ' ' || client_id), lower(?))"
    )
    values = (application_type, application_type, search)
    return (await listed(grid.store, "*", origin, values, asked, _json)).as_items()


@router.post("/", status_code=201)
async def create_application(_: Writes, body: ApplicationCreate, grid: GridDep) -> dict[str, Any]:
    """Register a client. Its secret is told once."""
    values = (
        *(new_id("app"), new_id("client"), new_secret(), body.name, body.application_type),
        *(json.dumps(body.redirect_uris), json.dumps(body.allowed_scopes), moment(grid.clock)),
    )

    def add(connection: sqlite3.Connection) -> sqlite3.Row:
        connection.execute("INSERT INTO applications VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)
        return _found(connection, values[0])

    return _with_secret(_serve(grid, await grid.store.write(add)))


@router.get("/{application_id}")
async def read_application(_: ReadsAll, application_id: str, grid: GridDep) -> dict[str, Any]:
    return _json(await grid.store.read(lambda connection: _found(connection, application_id)))


@router.patch("/{application_id}")
async def change_application(
    _: Writes, application_id: str, body: ApplicationPatch, grid: GridDep
) -> dict[str, Any]:
    changed = body.model_dump(exclude_none=True)
    columns = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in changed.items()
    }
    return _json(_serve(grid, await _change(grid, application_id, columns)))


@router.post("/{application_id}/regenerate-secret")
async def regenerate_secret(_: Writes, application_id: str, grid: GridDep) -> dict[str, Any]:
    """Give a client a new secret, which is told once. The old one ends."""
    return _with_secret(_serve(grid, await _change(grid, application_id, {"client_secret": new_secret()})))


@router.delete("/{application_id}", status_code=204)
async def delete_application(_: Writes, application_id: str, grid: GridDep) -> None:
    """Delete softly: the client signs nobody in any more, and its id is never given again."""
    row = await grid.store.read(lambda connection: _found(connection, application_id))
    await _change(grid, application_id, {"deleted_at": moment(grid.clock)})
    grid.clients.pop(row["client_id"], None)


async def _change(grid: Grid, application_id: str, columns: dict[str, str]) -> sqlite3.Row:
    def change(connection: sqlite3.Connection) -> sqlite3.Row:
        _found(connection, application_id)
        for column, value in columns.items():
            query = f"UPDATE applications SET {column} = ? WHERE id = ?"  # noqa: S608 - names of our own
            connection.execute(query, (value, application_id))
        row: sqlite3.Row = connection.execute(
            "SELECT * FROM applications WHERE id = ?", (application_id,)
        ).fetchone()
        return row

    return await grid.store.write(change)


def _serve(grid: Grid, row: sqlite3.Row) -> sqlite3.Row:
    """Let the token endpoint know the client as it is now."""
    grid.clients[row["client_id"]] = client_of(row)
    return row


def _json(row: sqlite3.Row) -> dict[str, Any]:
    plain = {name: row[name] for name in ("id", "client_id", "name", "application_type", "created_at")}
    lists = {name: json.loads(row[name]) for name in ("redirect_uris", "allowed_scopes")}
    return {**plain, **lists, "scope": "GLOBAL", "token_lifetime": LIFE_S}


def _with_secret(row: sqlite3.Row) -> dict[str, Any]:
    return {**_json(row), "client_secret": row["client_secret"]}


def _found(connection: sqlite3.Connection, application_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM applications WHERE id = ? AND deleted_at IS NULL", (application_id,)
    ).fetchone()
    if row is None:
        raise HTTPException(404, "Application not found")
    return row
