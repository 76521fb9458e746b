"""Reading the audit log in tests."""

from typing import Any, TypeAlias

import httpx

Json: TypeAlias = dict[str, Any]


async def log_of(api: httpx.AsyncClient, headers: dict[str, str], **query: Any) -> list[Json]:
    """Return the rows that match, the first one first."""
    found: list[Json] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await api.get("/admin/audit", params={**query, "limit": 500, **cursor}, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["events"]
        if page["next_cursor"] is None:
            return found[::-1]
        cursor = {"cursor": page["next_cursor"]}
