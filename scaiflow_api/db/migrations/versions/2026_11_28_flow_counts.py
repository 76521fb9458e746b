"""How many flows a tenant has, and how many of them have each letter in their name; no index to count them by.

Revision: 0014; follows 0013
"""

from collections import Counter

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactBytes, ExactText
from scaiflow_api.db.name_counts import counted_parts

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BY_STATE = "ix_flows_tenant_deleted"
_AT_ONCE = 10_000


def upgrade() -> None:
    counts = op.create_table(
        "flow_counts",
        sa.Column("part", ExactBytes(4), nullable=False),
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("flows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("part", "tenant_id", name=op.f("pk_flow_counts")),
    )
    _fill(counts)
    op.drop_index(_BY_STATE, "flows")


def downgrade() -> None:
    op.create_index(_BY_STATE, "flows", ["tenant_id", "deleted_at"])
    op.drop_table("flow_counts")


def _fill(counts: sa.Table) -> None:
    """Count the names of all flows that are not deleted, read piece by piece."""
    flows = sa.table(
        "flows", sa.column("id"), sa.column("tenant_id"), sa.column("name_key"), sa.column("deleted_at")
    )
    connection = op.get_bind()
    found: Counter[tuple[bytes, str]] = Counter()
    last = ""
    while rows := connection.execute(
        sa.select(flows.c.id, flows.c.tenant_id, flows.c.name_key)
        .where(flows.c.id > last, flows.c.deleted_at.is_(None))
        .order_by(flows.c.id)
        .limit(_AT_ONCE)
    ).all():
        found.update((part, row.tenant_id) for row in rows for part in counted_parts(row.name_key))
        last = rows[-1].id
    if found:
        op.bulk_insert(
            counts,
            [
                {"part": part, "tenant_id": tenant_id, "flows": number}
                for (part, tenant_id), number in found.items()
            ],
        )
