"""The index that holds what a list asks of a flow is for SQLite alone; PostgreSQL gets a hash of the ids instead.

Revision: 0015; follows 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_LISTED, _BY_HASH = "ix_flows_listed", "ix_flows_id"


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.create_index(_BY_HASH, "flows", ["id"], postgresql_using="hash")
    if dialect != "sqlite":
        op.drop_index(_LISTED, "flows")


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect != "sqlite":
        columns = ["id", "tenant_id", "deleted_at", "updated_at", "created_at", "name_key"]
        op.create_index(_LISTED, "flows", columns)
    if dialect == "postgresql":
        op.drop_index(_BY_HASH, "flows")
