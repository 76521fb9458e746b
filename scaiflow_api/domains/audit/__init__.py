"""The audit log: reading it, exporting it, and finding out whether somebody changed it."""
