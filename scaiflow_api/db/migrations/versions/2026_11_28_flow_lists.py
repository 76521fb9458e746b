"""What lists of flows are sorted, searched and counted by.

Revision: 0007; follows 0006
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_flows_tenant_name": ["tenant_id", "deleted_at", "name_key", "id", "updated_at", "created_at"],
    "ix_flows_tenant_deleted": ["tenant_id", "deleted_at"],
    "ix_flows_listed": ["id", "tenant_id", "deleted_at", "updated_at", "created_at", "name_key"],
}
_AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("flows", sa.Column("name_key", ExactText(400), nullable=False, server_default=""))
    _fill()
    for name, columns in _INDEXES.items():
        op.create_index(name, "flows", columns)


def downgrade() -> None:
    for name in reversed(_INDEXES):
        op.drop_index(name, "flows")
    op.drop_column("flows", "name_key")


def _fill() -> None:
    """Write the lower case of all names: in Python, for SQLite knows only that of ASCII."""
    flows = sa.table("flows", sa.column("id"), sa.column("name"), sa.column("name_key"))
    connection = op.get_bind()
    last = ""
    while rows := connection.execute(
        sa.select(flows.c.id, flows.c.name).where(flows.c.id > last).order_by(flows.c.id).limit(_AT_ONCE)
    ).all():
        connection.execute(
            flows.update().where(flows.c.id == sa.bindparam("flow")).values(name_key=sa.bindparam("key")),
            [{"flow": row.id, "key": row.name.lower()} for row in rows],
        )
        last = rows[-1].id
