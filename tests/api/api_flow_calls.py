"""What many tests of flows do first."""

from typing import Any, TypeAlias

import httpx

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.kit.ids import new_id
from scaiflow_api.resources import Resources

Json: TypeAlias = dict[str, Any]
Headers: TypeAlias = dict[str, str]


async def create(api: httpx.AsyncClient, headers: Headers, content: Json, **fields: Any) -> Json:
    """Create a flow and return it."""
    answer = await api.post("/flows", json={"content": content, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def grant(resources: Resources, flow_id: str, principal: str, level: str) -> None:
    """Grant a level to a user, or to a group (`grp_…`)."""
    async with resources.db.write() as session:
        session.add(
            FlowAcl(
                id=new_id("acl"),
                flow_id=flow_id,
                principal_type="group" if principal.startswith("grp_") else "user",
                principal_id=principal,
                level=level,
                granted_by="usr_bob",
                granted_at=resources.clock.now(),
            )
        )


async def numbers(api: httpx.AsyncClient, headers: Headers, flow_id: str) -> list[str]:
    """Return the versions of a flow, newest first, having read each of them."""
    listed = await api.get(f"/flows/{flow_id}/versions", headers=headers)
    found = [row["version"] for row in listed.json()]
    for version in found:
        read = await api.get(f"/flows/{flow_id}/versions/{version}", headers=headers)
        assert read.json()["content"]["version"] == version
    return found
