"""The catalog: packages, their versions, and the groups that see them.

Revision: 0002; follows 0001
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText, UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("catalog_versions", "catalog_package_groups", "catalog_packages")


def upgrade() -> None:
    op.create_table(
        "catalog_packages",
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("package_id", ExactText(64), nullable=False),
        sa.Column("name", ExactText(200), nullable=False),
        sa.Column("description", ExactText(2000), nullable=False),
        sa.Column("version", ExactText(64), nullable=False),
        sa.Column("author_id", ExactText(128), nullable=False),
        sa.Column("visibility", ExactText(64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_packages")),
        sa.UniqueConstraint("tenant_id", "package_id", name=op.f("uq_catalog_packages_tenant_id_package_id")),
    )
    op.create_index(
        "ix_catalog_packages_tenant_updated", "catalog_packages", ["tenant_id", "updated_at", "id"]
    )
    op.create_table(
        "catalog_package_groups",
        sa.Column("catalog_package_id", ExactText(128), nullable=False),
        sa.Column("group_id", ExactText(128), nullable=False),
        sa.PrimaryKeyConstraint("catalog_package_id", "group_id", name=op.f("pk_catalog_package_groups")),
        sa.ForeignKeyConstraint(
            ["catalog_package_id"],
            ["catalog_packages.id"],
            name=op.f("fk_catalog_package_groups_catalog_package_id"),
        ),
    )
    op.create_table(
        "catalog_versions",
        sa.Column("catalog_package_id", ExactText(128), nullable=False),
        sa.Column("version", ExactText(64), nullable=False),
        sa.Column("author_id", ExactText(128), nullable=False),
        sa.Column("sha256", ExactText(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("catalog_package_id", "version", name=op.f("pk_catalog_versions")),
        sa.ForeignKeyConstraint(
            ["catalog_package_id"],
            ["catalog_packages.id"],
            name=op.f("fk_catalog_versions_catalog_package_id"),
        ),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
