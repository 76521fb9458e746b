"""Flows of a tenant in the order of their creation; by name without what every save changes; by owner if not deleted.

Revision: 0013; follows 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BY_CREATION = "ix_flows_tenant_created"
_CHANGED = {
    "ix_flows_tenant_name": (
        ["tenant_id", "deleted_at", "name_key", "id", "updated_at", "created_at"],
        ["tenant_id", "deleted_at", "name_key", "id"],
    ),
    "ix_flows_tenant_owner_updated": (
        ["tenant_id", "owner_id", "updated_at", "id"],
        ["tenant_id", "owner_id", "deleted_at", "updated_at", "id"],
    ),
}
"""Indexes, with their columns before and after."""


def upgrade() -> None:
    op.create_index(_BY_CREATION, "flows", ["tenant_id", "deleted_at", "created_at", "id", "name_key"])
    for name, (_, columns) in _CHANGED.items():
        op.drop_index(name, "flows")
        op.create_index(name, "flows", columns)


def downgrade() -> None:
    for name, (columns, _) in _CHANGED.items():
        op.drop_index(name, "flows")
        op.create_index(name, "flows", columns)
    op.drop_index(_BY_CREATION, "flows")
