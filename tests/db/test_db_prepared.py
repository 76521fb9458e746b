"""Prepared statements say and answer what SQLAlchemy's own execution does, on each database."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.prepared import Prepared
from scaiflow_api.db.session import Database

FLOWS = cast("Table", Flow.__table__)
ROW: dict[str, Any] = {
    "id": "flow_1",
    "tenant_id": "tnt_acme",
    "owner_id": "usr_bob",
    "name": "100 % 'é' :flow ?",
    "name_key": "100 % 'é' :flow ?",
    "description": "",
    "version": "1.0.0",
    "revision": 1,
    "created_at": datetime(2026, 11, 28, 12, 30, 15, 123456, tzinfo=UTC),
    "updated_at": datetime(2026, 11, 28, 12, 30, 15, tzinfo=UTC),
    "deleted_at": None,
}
ADD = Prepared(insert(FLOWS))
FIND = Prepared(select(FLOWS).where(FLOWS.c.id == bindparam("flow_id")))
RAISE = Prepared(
    update(FLOWS).where(FLOWS.c.id == bindparam("flow_id")).values(revision=FLOWS.c.revision + 1)
)


async def test_a_row_comes_back_as_it_was_written(db: Database) -> None:
    await db.carry_out(lambda connection: ADD.run(connection, ROW))

    assert await db.ask(lambda connection: FIND.first(connection, {"flow_id": "flow_1"})) == ROW
    assert await db.ask(lambda connection: FIND.first(connection, {"flow_id": "flow_2"})) is None
    async with db.read() as session:
        assert dict((await session.execute(select(FLOWS))).mappings().one()) == ROW


async def test_a_statement_brings_its_own_values(db: Database) -> None:
    def work(connection: Connection) -> tuple[int, int]:
        ADD.run_all(connection, [ROW, {**ROW, "id": "flow_2"}])
        return tuple(RAISE.run(connection, {"flow_id": id_}).rowcount for id_ in ("flow_2", "flow_3"))

    assert await db.carry_out(work) == (1, 0)
    found = await db.ask(lambda connection: FIND.first(connection, {"flow_id": "flow_2"}))
    assert found == {**ROW, "id": "flow_2", "revision": 2}


async def test_what_the_database_refuses_is_the_error_that_sqlalchemy_makes_of_it(db: Database) -> None:
    await db.carry_out(lambda connection: ADD.run(connection, ROW))

    with pytest.raises(IntegrityError):
        await db.carry_out(lambda connection: ADD.run(connection, ROW))
