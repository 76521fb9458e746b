"""Removing what nobody needs any more; `scaiflow gc` runs it."""
