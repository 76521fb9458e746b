"""The SCIR bundle: module → bytes, and bytes → module."""
