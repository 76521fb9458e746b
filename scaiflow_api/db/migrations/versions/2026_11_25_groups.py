"""The mirror of ScaiKey's groups, and roles that come from them.

Revision: 0003; follows 0002
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "groups",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("name", ExactText(200), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("last_synced_at", UTCDateTime(), nullable=True),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_groups")),
    )
    op.create_table(
        "memberships",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("user_id", ExactText(128), nullable=False),
        sa.Column("group_id", ExactText(128), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "group_id", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_group", "memberships", ["tenant_id", "group_id", "user_id"])
    op.add_column("users", sa.Column("group_role", ExactText(64), nullable=True))
    op.add_column("users", sa.Column("last_synced_at", UTCDateTime(), nullable=True))
    op.create_index("ix_users_manual_role", "users", ["manual_role"])
    op.create_index("ix_users_group_role", "users", ["group_role"])


def downgrade() -> None:
    op.drop_index("ix_users_group_role", "users")
    op.drop_index("ix_users_manual_role", "users")
    with op.batch_alter_table("users") as users:
        users.drop_column("last_synced_at")
        users.drop_column("group_role")
    op.drop_table("memberships")
    op.drop_table("groups")
