"""`scaiflow admin`: what anybody who can log in to the host may do, before there is an administrator."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.register import Commands

if TYPE_CHECKING:
    from scaiflow_api.settings import Settings


def register(commands: Commands) -> None:
    """List the commands below `admin`."""
    group = commands.group("admin", "Appoint administrators, on the host.")
    grant = group.add("grant", _grant, "Give somebody a role. One who holds a higher role keeps it.")
    grant.add_argument("who", metavar="EMAIL", help="address of the person, or the person's id")
    grant.add_argument("--role", required=True, choices=["tenant_admin", "super_admin"], help="the role")
    grant.add_argument("--tenant", help="the person's tenant, where several tenants have the address")


def _grant(options: Namespace) -> None:
    import asyncio

    from scaiflow_api.cli.database import database_in_use, settings_of_a_database

    settings = settings_of_a_database()
    with database_in_use():
        told = asyncio.run(_appoint(settings, options.who, options.role, options.tenant))
    print(told, file=sys.stderr)


async def _appoint(settings: "Settings", who: str, role: str, tenant: str | None) -> str:
    from scaiflow_api.auth.caller import AdminRole
    from scaiflow_api.db.principals import Principals
    from scaiflow_api.db.session import Database
    from scaiflow_api.domains.admin.host import people_known_by
    from scaiflow_api.kit.clock import SystemClock

    db = Database(settings.database.url.get_secret_value(), pool_size=1)
    try:
        found = await people_known_by(db, who, tenant)
        if not found:
            raise CommandFailed(
                f"nobody is known by '{who}'; people are known after a sync with ScaiKey, or after signing in once"
            )
        if len(found) > 1:
            people = ", ".join(f"{user.id} of {user.tenant_id}" for user in found)
            raise CommandFailed(
                f"several people are known by '{who}': {people}; name one by --tenant, or by id"
            )
        user = found[0]
        principals = Principals(db)
        await principals.grant(
            user.tenant_id, user.id, AdminRole(role), source="bootstrap", now=SystemClock().now()
        )
        standing = await principals.find(user.tenant_id, user.id)
    finally:
        await db.close()
    assert standing is not None
    return f"{user.id} of {user.tenant_id} is {standing.admin_role}"
