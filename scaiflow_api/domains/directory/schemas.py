"""Response bodies of the route that starts a sync."""

from typing import Literal

from scaiflow_api.web.schemas import AnswerModel


class SyncAnswer(AnswerModel):
    """What a sync did. Rows that a webhook changed meanwhile are left and not counted."""

    skipped_reason: str | None
    """Why nothing was changed: `already_running`, `credentials_missing`, `credentials_refused`, `access_denied`,
    `shrink_over_limit`, `lease_lost`."""
    skipped_detail: str | None
    """The same as a sentence."""
    users_method: Literal["effective_users", "member_walk"] | None
    """`member_walk`: ScaiKey did not allow the list of effective users; only people in groups were seen."""
    users_seen: int
    users_added: int
    users_undeleted: int
    users_soft_deleted: int
    groups_seen: int
    groups_added: int
    groups_undeleted: int
    groups_soft_deleted: int
    memberships_seen: int
    memberships_added: int
    memberships_soft_deleted: int
    missed_once: int
    """Rows missed for the first time; one goes when the next sync misses it too."""
    super_admin_count: int
    super_admins_group_promoted: int
    super_admins_group_demoted: int
    duration_seconds: float
