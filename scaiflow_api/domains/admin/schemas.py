"""Request and response bodies of the routes for administrators."""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from scaiflow_api.db.models.group import Group
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import effective_role
from scaiflow_api.domains.flows.schemas import FlowSummary
from scaiflow_api.web.schemas import AnswerModel, ApiModel

RoleName = Literal["tenant_admin", "super_admin"]
RoleSource = Literal["manual", "group", "bootstrap"]


class UserItem(AnswerModel):
    """A user as the mirror has it, deleted or not."""

    id: str
    tenant_id: str
    email: str | None
    display_name: str | None
    status: str
    admin_role: RoleName | None
    """The higher of the role granted here and the one that a group gives."""
    admin_role_source: RoleSource | None
    deleted_at: datetime | None
    last_synced_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        columns = {
            name: getattr(user, name) for name in cls.model_fields if not name.startswith("admin_role")
        }
        return cls(**columns, **_effective(user))


class UserPage(AnswerModel):
    """Users by tenant and id."""

    users: list[UserItem]
    next_cursor: str | None


class GroupItem(AnswerModel):
    """A group as the mirror has it, deleted or not."""

    id: str
    tenant_id: str
    name: str
    member_count: int
    """Members of groups inside it count too."""
    deleted_at: datetime | None
    last_synced_at: datetime | None

    @classmethod
    def of(cls, group: Group, members: int) -> Self:
        columns = {name: getattr(group, name) for name in cls.model_fields if name != "member_count"}
        return cls(**columns, member_count=members)


class GroupPage(AnswerModel):
    """Groups by tenant and id."""

    groups: list[GroupItem]
    next_cursor: str | None


class AdminFlowItem(FlowSummary):
    """A flow of the tenant, whoever owns it."""

    deleted_at: datetime | None


class AdminFlowPage(AnswerModel):
    """Flows of one tenant, newest change first."""

    flows: list[AdminFlowItem]
    next_cursor: str | None


class RoleGrant(ApiModel):
    """A role to grant; it takes the place of one granted before."""

    example: ClassVar = {"role": "tenant_admin"}

    role: RoleName


class RoleItem(AnswerModel):
    """The roles of one user."""

    user_id: str
    tenant_id: str
    admin_role: RoleName | None
    """The higher of the two below."""
    admin_role_source: RoleSource | None
    manual_role: RoleName | None
    """Granted here; no sync takes it away."""
    group_role: RoleName | None
    """Given by a group, for as long as the user is in it."""

    @classmethod
    def of(cls, user: User) -> Self:
        return cls.model_validate(
            {
                "user_id": user.id,
                "tenant_id": user.tenant_id,
                "manual_role": user.manual_role,
                "group_role": user.group_role,
                **_effective(user),
            }
        )


def _effective(user: User) -> dict[str, Any]:
    role, source = effective_role(user)
    return {"admin_role": role.value if role else None, "admin_role_source": source}
