"""Where flows are found by a part of their names.

Revision: 0011; follows 0010
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactBytes, ExactText
from scaiflow_api.db.name_tails import tails_of

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BY_TIME = "ix_flows_tenant_updated"
_AT_ONCE = 10_000


def upgrade() -> None:
    tails = op.create_table(
        "flow_name_tails",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("tail", ExactBytes(64), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("flow_id", ExactText(128), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "tail", "seen", "flow_id", name=op.f("pk_flow_name_tails")),
        sqlite_with_rowid=False,
    )
    _fill(tails)
    op.drop_index(_BY_TIME, "flows")
    op.create_index(_BY_TIME, "flows", ["tenant_id", "deleted_at", "updated_at", "id", "name_key"])


def downgrade() -> None:
    op.drop_index(_BY_TIME, "flows")
    op.create_index(_BY_TIME, "flows", ["tenant_id", "updated_at", "id"])
    op.drop_table("flow_name_tails")


def _fill(tails: sa.Table) -> None:
    """Write the tails of all names, in the order of the key as far as memory allows: it saves most of the time."""
    flows = sa.table(
        "flows", sa.column("id"), sa.column("tenant_id"), sa.column("name_key"), sa.column("deleted_at")
    )
    connection = op.get_bind()
    last = ""
    while rows := connection.execute(
        sa.select(flows.c.id, flows.c.tenant_id, flows.c.name_key)
        .where(flows.c.id > last, flows.c.deleted_at.is_(None))
        .order_by(flows.c.id)
        .limit(_AT_ONCE)
    ).all():
        connection.execute(
            tails.insert(),
            [
                {"tenant_id": tenant_id, "tail": tail, "seen": seen, "flow_id": flow_id}
                for tenant_id, tail, seen, flow_id in sorted(
                    (row.tenant_id, *tail, row.id) for row in rows for tail in tails_of(row.name_key)
                )
            ],
        )
        last = rows[-1].id
