"""Text that PostgreSQL compares code point by code point, as the other databases do.

Revision: 0012; follows 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _collate("C")


def downgrade() -> None:
    _collate("default")


def _collate(collation: str) -> None:
    """Give all text another order; PostgreSQL writes the indexes anew, not the tables."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        changes = [
            f'ALTER {column["name"]} TYPE varchar({kind.length}) COLLATE "{collation}"'
            for column in inspector.get_columns(table)
            if isinstance(kind := column["type"], sa.VARCHAR)
        ]
        if table != "alembic_version" and changes:
            op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
