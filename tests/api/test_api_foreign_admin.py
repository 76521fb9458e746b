"""An administrator of one tenant, at every route for administrators, asks for another: nothing shows or changes.

The routes come from the application, so a new one is tried as well.
"""

from typing import Any

import httpx
import orjson
import pytest
from api_audit_calls import log_of
from api_flow_calls import create
from fastapi import FastAPI
from mirror import mirror
from people import People, Person
from pydantic import SecretStr
from sqlalchemy import select

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.models.user import User
from scaiflow_api.resources import Resources
from scaiflow_api.upstreams.tenant_grids import TenantKey
from scaiflow_api.web.routes import rules

GINA = Person("usr_gina", "tnt_globex")
"""Administrator of globex."""
NAMES = {"user_id": "usr_heir"}
BODIES: list[Any] = [
    None,
    {"role": "tenant_admin"},
    {"role": "super_admin"},
    {"api_key": "sgk_of-globex-0123456789", "tenant_id": "tnt_acme"},
]
QUERIES = [
    "",
    "?tenant_id=tnt_acme",
    "?tenant_id=tnt_acme&tenant_id=tnt_globex",
    "?tenant_id=*",
    "?tenant=tnt_acme",
]


@pytest.fixture(autouse=True)
async def acme(api: httpx.AsyncClient, people: People, resources: Resources, echo: dict[str, Any]) -> None:
    """Acme has people, a group, a flow and a key; gina's own tenant has only her."""
    await mirror(
        resources.db, "tnt_acme", users=["usr_heir", "usr_bob"], groups={"grp_of_acme": ["usr_heir"]}
    )
    await create(api, people.bob.headers, {**echo, "name": "Flow of acme"})
    await resources.tenant_keys.set("tnt_acme", TenantKey(SecretStr("sgk_of-acme-0123456789"), None))
    await resources.principals.grant(
        "tnt_globex", GINA.id, AdminRole.TENANT_ADMIN, source="manual", now=resources.clock.now()
    )


async def state(api: httpx.AsyncClient, people: People, resources: Resources) -> bytes:
    """What acme's own administrator sees of acme, and who holds which role."""
    paths = (
        "/admin/tenant/users",
        "/admin/tenant/flows",
        "/admin/groups",
        "/tenants/me/scaigrid_credentials",
    )
    seen = [(await api.get(path, headers=people.alice.headers)).json() for path in paths]
    async with resources.db.read() as session:
        rows = await session.execute(
            select(User.id, User.status, User.manual_role, User.group_role)
            .where(User.tenant_id != "tnt_globex")
            .order_by(User.tenant_id, User.id)
        )
        roles = [list(row) for row in rows]
    key = await resources.tenant_keys.of("tnt_acme")
    assert key is not None
    log = await log_of(api, people.alice.headers)
    return orjson.dumps([seen, roles, key.api_key.get_secret_value(), log])


async def test_nothing_of_another_tenant_shows_or_changes(
    app: FastAPI, api: httpx.AsyncClient, people: People, resources: Resources
) -> None:
    routes = [rule for rule in rules(app) if rule.role is not None]
    assert {rule.path.split("/")[3] for rule in routes} >= {"admin", "tenants"}
    before = await state(api, people, resources)
    tried = 0
    for rule in routes:
        for body in BODIES if rule.method in {"POST", "PUT", "PATCH"} else [None]:
            for query in QUERIES:
                path = rule.path.removeprefix("/api/v1").format(**NAMES) + query + ("&" if query else "?")
                answer = await api.request(
                    rule.method, f"{path}verify=false", json=body, headers=GINA.headers
                )
                tried += 1
                place = f"{rule.method} {path} {body}: {answer.status_code} {answer.text}"
                assert answer.status_code < 500, place
                # Herself, and whom she named herself, she may see.
                shown = answer.text.replace("usr_heir", "").replace("usr_gina", "")
                for name in ("tnt_acme", "usr_", "grp_of_acme", "Flow of acme", "sgk_of-acme"):
                    assert name not in shown, place

    assert tried > 50
    assert await state(api, people, resources) == before
