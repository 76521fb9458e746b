"""Idempotency keys: requests that are carried out once, and their answers.

Revision: 0005; follows 0004
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import Bytes, ExactText

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("digest", ExactText(64), nullable=False),
        sa.Column("fingerprint", ExactText(64), nullable=False),
        sa.Column("holder", ExactText(64), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("answer", Bytes(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_expires", "idempotency_keys", ["expires_ms"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
