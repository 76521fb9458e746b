"""The name under which a flow was deployed.

Revision: 0004; follows 0003
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployments", sa.Column("flow_name", ExactText(200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("deployments") as deployments:
        deployments.drop_column("flow_name")
