"""The tables of ScaiQueue, in the grid's file."""

TABLES = """
CREATE TABLE IF NOT EXISTS queue_scopes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, slug TEXT NOT NULL,
  display_name TEXT NOT NULL, description TEXT, state TEXT NOT NULL, created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL, UNIQUE (tenant_id, slug)
);
CREATE TABLE IF NOT EXISTS queues (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  scope_id TEXT NOT NULL REFERENCES queue_scopes (id) ON DELETE CASCADE, slug TEXT NOT NULL,
  display_name TEXT NOT NULL, description TEXT, consumer_mode TEXT NOT NULL, max_retries INTEGER NOT NULL,
  visibility_timeout_s INTEGER NOT NULL, max_depth INTEGER, system INTEGER NOT NULL, state TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (scope_id, slug)
);
CREATE TABLE IF NOT EXISTS queue_messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  scope_id TEXT NOT NULL REFERENCES queue_scopes (id) ON DELETE CASCADE,
  queue_id TEXT NOT NULL REFERENCES queues (id) ON DELETE CASCADE,
  published_to TEXT NOT NULL, idempotency_key TEXT, correlation_id TEXT, priority_score INTEGER NOT NULL,
  deadline REAL, expires_at REAL, published TEXT NOT NULL, source TEXT NOT NULL, published_at TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, visible_at REAL NOT NULL,
  claimed_by_type TEXT, claimed_by_id TEXT, failure_reason TEXT, result TEXT, completed_at TEXT,
  UNIQUE (published_to, idempotency_key)
);
CREATE INDEX IF NOT EXISTS queue_messages_claim ON queue_messages (queue_id, state, visible_at);
CREATE INDEX IF NOT EXISTS queue_messages_due ON queue_messages (scope_id, state, visible_at);
CREATE INDEX IF NOT EXISTS queue_messages_expiry ON queue_messages (scope_id, state, expires_at);
CREATE INDEX IF NOT EXISTS queue_messages_scope ON queue_messages (scope_id, seq);
CREATE TABLE IF NOT EXISTS queue_receipts (
  message_id TEXT NOT NULL REFERENCES queue_messages (id) ON DELETE CASCADE,
  consumer_type TEXT NOT NULL, consumer_id TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  visible_at REAL NOT NULL, failure_reason TEXT, result TEXT, completed_at TEXT,
  PRIMARY KEY (message_id, consumer_type, consumer_id)
) WITHOUT ROWID;
"""
