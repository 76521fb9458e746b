"""The table of ScaiBunker, in the grid's file."""

TABLES = """
CREATE TABLE IF NOT EXISTS bunkers (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, status TEXT NOT NULL,
  lifecycle_mode TEXT NOT NULL, session_type TEXT NOT NULL, session_ref TEXT, spec TEXT NOT NULL,
  created_at REAL NOT NULL, updated_at REAL NOT NULL, used_at REAL NOT NULL, ends_at REAL, idle_timeout_s INTEGER
);
CREATE INDEX IF NOT EXISTS bunkers_tenant ON bunkers (tenant_id, seq);
"""
