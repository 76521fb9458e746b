"""Clients of the systems that ScaiFlow talks to: one class per system, typed results, one family of errors."""
