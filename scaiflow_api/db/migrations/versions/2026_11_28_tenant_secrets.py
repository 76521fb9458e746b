"""Secrets of tenants, encrypted.

Revision: 0009; follows 0008
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import Bytes, ExactText

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant_secrets",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("name", ExactText(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", Bytes(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_tenant_secrets")),
    )


def downgrade() -> None:
    op.drop_table("tenant_secrets")
