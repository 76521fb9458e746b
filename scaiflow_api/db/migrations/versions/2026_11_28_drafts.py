"""Drafts that several people edit, as logs of changes.

Revision: 0010; follows 0009
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import Bytes, ExactText, UTCDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_documents",
        sa.Column("flow_id", ExactText(128), nullable=False),
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("epoch", ExactText(64), nullable=False),
        sa.Column("applied_version", ExactText(64), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("merged_seq", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["flow_id"], ["flows.id"], name=op.f("fk_sync_documents_flow_id")),
        sa.PrimaryKeyConstraint("flow_id", name=op.f("pk_sync_documents")),
    )
    op.create_table(
        "sync_updates",
        sa.Column("flow_id", ExactText(128), nullable=False),
        sa.Column("epoch", ExactText(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("data", Bytes(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["sync_documents.flow_id"], name=op.f("fk_sync_updates_flow_id")
        ),
        sa.PrimaryKeyConstraint("flow_id", "epoch", "seq", "part", name=op.f("pk_sync_updates")),
    )


def downgrade() -> None:
    op.drop_table("sync_updates")
    op.drop_table("sync_documents")
