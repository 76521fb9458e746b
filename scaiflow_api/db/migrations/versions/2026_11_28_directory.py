"""The mirror of ScaiKey: news in their order, rows that were missed once, groups inside groups.

Revision: 0008; follows 0007
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText, UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MIRRORED = ("users", "groups", "memberships")


def upgrade() -> None:
    for table in MIRRORED:
        op.add_column(table, sa.Column("changed_at", UTCDateTime(), nullable=True))
        op.add_column(table, sa.Column("absent_since", UTCDateTime(), nullable=True))
    with op.batch_alter_table("memberships") as memberships:
        memberships.add_column(sa.Column("direct", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("memberships") as memberships:
        memberships.alter_column("direct", existing_type=sa.Boolean(), server_default=None)
    op.create_table(
        "group_nestings",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("child_id", ExactText(128), nullable=False),
        sa.Column("group_id", ExactText(128), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "child_id", "group_id", name=op.f("pk_group_nestings")),
    )
    op.create_table(
        "directory_state",
        sa.Column("name", ExactText(64), nullable=False),
        sa.Column("taken_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_directory_state")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("type", ExactText(128), nullable=False),
        sa.Column("handled", sa.Boolean(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )
    op.create_index("ix_webhook_events_received", "webhook_events", ["received_at"])


def downgrade() -> None:
    op.drop_table("webhook_events")
    op.drop_table("directory_state")
    op.drop_table("group_nestings")
    for table in MIRRORED:
        with op.batch_alter_table(table) as mirrored:
            mirrored.drop_column("absent_since")
            mirrored.drop_column("changed_at")
            if table == "memberships":
                mirrored.drop_column("direct")
