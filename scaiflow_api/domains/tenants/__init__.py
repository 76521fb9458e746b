"""What a tenant trusts ScaiFlow with: its key at ScaiGrid."""
