"""The YAML manifest: module → text, and text → module."""
