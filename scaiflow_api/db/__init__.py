"""Rows: connections, transactions and tables."""
