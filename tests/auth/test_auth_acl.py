"""Who holds which level on a flow."""

import pytest
from pydantic import SecretStr

from scaiflow_api.auth.acl import Level, level_of
from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.auth.tenancy import ALL, reads_of


def caller(subject: str = "usr_bob", tenant: str = "tnt_acme", role: AdminRole | None = None) -> Caller:
    return Caller(subject=subject, tenant_id=tenant, token=SecretStr(""), admin_role=role)


@pytest.mark.parametrize(
    ("who", "granted", "level"),
    [
        (caller("usr_owner"), (), Level.ADMIN),
        (caller(role=AdminRole.TENANT_ADMIN), (), Level.ADMIN),
        (caller(tenant="tnt_globex", role=AdminRole.SUPER_ADMIN), (), Level.ADMIN),
        (caller(), (), None),
        (caller(), (Level.VIEW,), Level.VIEW),
        (caller(), (Level.VIEW, Level.DEPLOY, Level.EDIT), Level.DEPLOY),
        (caller(tenant="tnt_globex"), (Level.ADMIN,), None),
        (caller(tenant="tnt_globex", role=AdminRole.TENANT_ADMIN), (), None),
        (caller("usr_owner", tenant="tnt_globex"), (), None),
    ],
)
def test_the_highest_of_role_ownership_and_grants_counts(
    who: Caller, granted: tuple[Level, ...], level: Level | None
) -> None:
    assert level_of(who, tenant_id="tnt_acme", owner_id="usr_owner", granted=granted) is level


def test_levels_are_strictly_ordered() -> None:
    assert [level.label for level in sorted(Level)] == ["view", "edit", "deploy", "admin"]


def test_only_a_super_admin_reads_across_tenants() -> None:
    assert reads_of(caller(role=AdminRole.SUPER_ADMIN)) is ALL
    assert reads_of(caller(role=AdminRole.TENANT_ADMIN)) == "tnt_acme"
