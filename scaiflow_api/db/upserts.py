"""Adding to a sum in one statement, whether its row exists or not: looking first would be a race."""

from typing import Any

from sqlalchemy import Insert, Table


def insert_or_add(table: Table, column: str, dialect: str) -> Insert:
    """Return an insert which, if there is a row of this key already, adds its `column` to that row's instead."""
    there = table.c[column]
    # The dialects are slow to load, and a process needs one of them.
    if dialect == "mysql":
        from sqlalchemy.dialects import mysql  # noqa: PLC0415

        into = mysql.insert(table)
        return into.on_duplicate_key_update({column: there + into.inserted[column]})
    upsert: Any
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as upsert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.sqlite import insert as upsert  # noqa: PLC0415
    row = upsert(table)
    added: Insert = row.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={column: there + row.excluded[column]}
    )
    return added
