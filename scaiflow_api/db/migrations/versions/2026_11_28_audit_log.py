"""The audit log: one hash chain per tenant.

Revision: 0006; follows 0005
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText, UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor_id", ExactText(128), nullable=False),
        sa.Column("actor_tenant_id", ExactText(128), nullable=True),
        sa.Column("action", ExactText(64), nullable=False),
        sa.Column("outcome", ExactText(64), nullable=False),
        sa.Column("target_type", ExactText(64), nullable=False),
        sa.Column("target_id", ExactText(128), nullable=False),
        sa.Column("flow_id", ExactText(128), nullable=True),
        sa.Column("request_id", ExactText(128), nullable=True),
        sa.Column("before_hash", ExactText(64), nullable=True),
        sa.Column("after_hash", ExactText(64), nullable=True),
        sa.Column("details", ExactText(8000), nullable=False),
        sa.Column("prev_hash", ExactText(64), nullable=False),
        sa.Column("hash", ExactText(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seq", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_flow", "audit_events", ["tenant_id", "flow_id", "seq"])
    op.create_index("ix_audit_events_actor", "audit_events", ["tenant_id", "actor_id", "seq"])
    op.create_index("ix_audit_events_action", "audit_events", ["tenant_id", "action", "seq"])
    op.create_index("ix_audit_events_at", "audit_events", ["tenant_id", "at"])
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", ExactText(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_audit_heads")),
    )


def downgrade() -> None:
    op.drop_table("audit_heads")
    op.drop_table("audit_events")
