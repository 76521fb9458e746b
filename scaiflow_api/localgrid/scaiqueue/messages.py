"""Messages as rows: found, listed, and kept up with the time."""

import sqlite3

from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaiqueue.message import SELECT, Message, message_of
from scaiflow_api.localgrid.scaiqueue.scopes import Scope


def settle(connection: sqlite3.Connection, scope: Scope, now: float) -> None:
    """End the claims, and then the messages, whose time has run out. Nothing else does: a clock is enough."""
    connection.execute(
        "UPDATE queue_messages SET state = 'pending', claimed_by_type = NULL, claimed_by_id = NULL"
        " WHERE scope_id = ? AND state = 'claimed' AND visible_at <= ?",
        (scope.id, now),
    )
    connection.execute(
        "UPDATE queue_messages SET state = 'expired'"
        " WHERE scope_id = ? AND state = 'pending' AND expires_at <= ?",
        (scope.id, now),
    )


def get(connection: sqlite3.Connection, scope: Scope, message_id: str) -> Message:
    """Return a message of the scope. Raises GridError 404."""
    row = connection.execute(f"{SELECT} WHERE m.scope_id = ? AND m.id = ?", (scope.id, message_id)).fetchone()
    if row is None:
        raise GridError(
            404, "SCAIQUEUE_MESSAGE_NOT_FOUND", f"There is no message {message_id!r} in this scope."
        )
    return message_of(row)


def page(
    connection: sqlite3.Connection,
    scope: Scope,
    *,
    queue_id: str | None = None,
    correlation_id: str | None = None,
    state: str | None = None,
    after: int,
    limit: int,
) -> list[Message]:
    """Return up to `limit` messages in order of publication."""
    filters = {"m.queue_id": queue_id, "m.correlation_id": correlation_id, "m.state": state}
    asked = {column: value for column, value in filters.items() if value is not None}
    where = "".join(f" AND {column} = ?" for column in asked)
    rows = connection.execute(
        f"{SELECT} WHERE m.scope_id = ? AND m.seq > ?{where} ORDER BY m.seq LIMIT ?",
        (scope.id, after, *asked.values(), limit),
    )
    return [message_of(row) for row in rows]
