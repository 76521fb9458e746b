"""Sandboxes for commands: each a private folder on this machine, and bubblewrap around whatever runs in it."""
