"""What a sync did."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

UsersMethod: TypeAlias = Literal["effective_users", "member_walk"]


@dataclass(slots=True)
class SyncReport:
    """The counters of one sync; their names are those on the wire."""

    skipped_reason: str | None = None
    """Why nothing was changed: a code."""
    skipped_detail: str | None = None
    """The same as a sentence."""
    users_method: UsersMethod | None = None
    users_seen: int = 0
    users_added: int = 0
    users_undeleted: int = 0
    users_soft_deleted: int = 0
    groups_seen: int = 0
    groups_added: int = 0
    groups_undeleted: int = 0
    groups_soft_deleted: int = 0
    memberships_seen: int = 0
    memberships_added: int = 0
    memberships_soft_deleted: int = 0
    missed_once: int = 0
    """Rows that were missed for the first time: the next sync deletes them if it misses them too."""
    super_admin_count: int = 0
    super_admins_group_promoted: int = 0
    super_admins_group_demoted: int = 0
    duration_seconds: float = 0.0

    @property
    def audit_details(self) -> dict[str, str | int]:
        """What the audit log says of the sync: why it did nothing, or how many rows it added and deleted."""
        if self.skipped_reason is not None:
            return {"skipped": self.skipped_reason}
        return {
            "added": self.users_added + self.groups_added + self.memberships_added,
            "deleted": self.users_soft_deleted + self.groups_soft_deleted + self.memberships_soft_deleted,
        }
