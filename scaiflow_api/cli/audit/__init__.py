"""Commands that look after the audit log."""
