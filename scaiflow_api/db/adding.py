"""A sum that grows in one statement, whether its row is there already or not: looking first would be a race."""

from typing import Any

from sqlalchemy import Insert, Table


def adding(table: Table, column: str, dialect: str) -> Insert:
    """Return an insert that, where a row of this key is there, adds its own `column` to that of the row there."""
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
