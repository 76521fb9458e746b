"""Webhooks: who is told what, and what came of it."""

import json
import sqlite3
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.kit.ids import new_id
from scaiflow_api.kit.loopback import LOOPBACK
from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaikey.directory import moment
from scaiflow_api.localgrid.scaikey.paging import PageDep, listed
from scaiflow_api.localgrid.scaikey.platform import ReadsAll, Writes
from scaiflow_api.localgrid.scaikey.webhooks import EVENTS

router = APIRouter(prefix="/admin/webhooks")


class WebhookCreate(BaseModel):
    """Where to deliver what."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Annotated[str, Field(max_length=2000)]
    secret: Annotated[str, Field(min_length=16, max_length=200)]
    events: list[str] = list(EVENTS)


@router.get("/events")
async def list_events(_: ReadsAll) -> dict[str, Any]:
    return {"items": list(EVENTS)}


@router.get("/")
async def list_webhooks(_: ReadsAll, grid: GridDep, asked: PageDep) -> dict[str, Any]:
    return (await listed(grid.store, "*", "FROM webhooks", (), asked, _webhook_json)).as_items()


@router.post("/", status_code=201)
async def create_webhook(_: Writes, body: WebhookCreate, grid: GridDep) -> dict[str, Any]:
    target = urlsplit(body.url)
    if target.scheme != "http" or target.hostname not in LOOPBACK:
        raise HTTPException(400, "The local ScaiKey delivers to http addresses of this machine only")
    if unknown := set(body.events) - set(EVENTS):
        raise HTTPException(400, f"There is no event {min(unknown)!r}")
    values = (new_id("wh"), body.url, body.secret, json.dumps(body.events), moment(grid.clock))

    def add(connection: sqlite3.Connection) -> dict[str, Any]:
        connection.execute("INSERT INTO webhooks VALUES (?, ?, ?, ?, ?)", values)
        return _webhook_json(_found(connection, values[0]))

    return await grid.store.write(add)


@router.get("/{webhook_id}")
async def read_webhook(_: ReadsAll, webhook_id: str, grid: GridDep) -> dict[str, Any]:
    return _webhook_json(await grid.store.read(lambda connection: _found(connection, webhook_id)))


@router.delete("/{webhook_id}", status_code=204)
async def delete_webhook(_: Writes, webhook_id: str, grid: GridDep) -> None:
    """Delete a webhook with everything that it was still to be told."""

    def delete(connection: sqlite3.Connection) -> None:
        _found(connection, webhook_id)
        connection.execute("DELETE FROM deliveries WHERE webhook_id = ?", (webhook_id,))
        connection.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))

    await grid.store.write(delete)


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(_: ReadsAll, webhook_id: str, grid: GridDep, asked: PageDep) -> dict[str, Any]:
    """List deliveries, oldest first; `due_at` is null when one was taken or given up."""
    origin = "FROM deliveries WHERE webhook_id = ?"
    return (await listed(grid.store, "*", origin, (webhook_id,), asked, dict)).as_items()


def _webhook_json(row: sqlite3.Row) -> dict[str, Any]:
    return {**{key: row[key] for key in ("id", "url", "created_at")}, "events": json.loads(row["events"])}


def _found(connection: sqlite3.Connection, webhook_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM webhooks WHERE id = ?", (webhook_id,)
    ).fetchone()
    if row is None:
        raise HTTPException(404, "Webhook not found")
    return row
