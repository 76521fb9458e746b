"""First tables: flows and their versions, grants, people, deployments, leases.

Revision: 0001; follows nothing
"""

import sqlalchemy as sa
from alembic import op

from scaiflow_api.db.base import ExactText, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("leases", "deployments", "users", "flow_acls", "flow_versions", "flows")


def upgrade() -> None:
    op.create_table(
        "flows",
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("owner_id", ExactText(128), nullable=False),
        sa.Column("name", ExactText(200), nullable=False),
        sa.Column("description", ExactText(2000), nullable=False),
        sa.Column("version", ExactText(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
    )
    op.create_index("ix_flows_tenant_updated", "flows", ["tenant_id", "updated_at", "id"])
    op.create_index("ix_flows_tenant_owner_updated", "flows", ["tenant_id", "owner_id", "updated_at", "id"])
    op.create_table(
        "flow_versions",
        sa.Column("flow_id", ExactText(128), nullable=False),
        sa.Column("version", ExactText(64), nullable=False),
        sa.Column("author_id", ExactText(128), nullable=False),
        sa.Column("message", ExactText(2000), nullable=False),
        sa.Column("sha256", ExactText(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("flow_id", "version", name=op.f("pk_flow_versions")),
        sa.ForeignKeyConstraint(["flow_id"], ["flows.id"], name=op.f("fk_flow_versions_flow_id")),
    )
    op.create_table(
        "flow_acls",
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("flow_id", ExactText(128), nullable=False),
        sa.Column("principal_type", ExactText(64), nullable=False),
        sa.Column("principal_id", ExactText(128), nullable=False),
        sa.Column("level", ExactText(64), nullable=False),
        sa.Column("granted_by", ExactText(128), nullable=False),
        sa.Column("granted_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_acls")),
        sa.ForeignKeyConstraint(["flow_id"], ["flows.id"], name=op.f("fk_flow_acls_flow_id")),
        sa.UniqueConstraint(
            "flow_id",
            "principal_type",
            "principal_id",
            name=op.f("uq_flow_acls_flow_id_principal_type_principal_id"),
        ),
    )
    op.create_index("ix_flow_acls_principal", "flow_acls", ["principal_type", "principal_id", "flow_id"])
    op.create_table(
        "users",
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("email", ExactText(200), nullable=True),
        sa.Column("display_name", ExactText(200), nullable=True),
        sa.Column("status", ExactText(64), nullable=False),
        sa.Column("manual_role", ExactText(64), nullable=True),
        sa.Column("manual_role_source", ExactText(64), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_users")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", ExactText(128), nullable=False),
        sa.Column("tenant_id", ExactText(128), nullable=False),
        sa.Column("flow_id", ExactText(128), nullable=False),
        sa.Column("flow_version", ExactText(64), nullable=False),
        sa.Column("status", ExactText(64), nullable=False),
        sa.Column("core_id", ExactText(128), nullable=True),
        sa.Column("published_slug", ExactText(2000), nullable=True),
        sa.Column("published_model_id", ExactText(128), nullable=True),
        sa.Column("error", ExactText(64), nullable=True),
        sa.Column("deployed_by", ExactText(128), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.ForeignKeyConstraint(["flow_id"], ["flows.id"], name=op.f("fk_deployments_flow_id")),
    )
    op.create_index(
        "ix_deployments_flow_started", "deployments", ["tenant_id", "flow_id", "started_at", "id"]
    )
    op.create_index("ix_deployments_core", "deployments", ["tenant_id", "core_id"])
    op.create_table(
        "leases",
        sa.Column("name", ExactText(128), nullable=False),
        sa.Column("holder", ExactText(64), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
