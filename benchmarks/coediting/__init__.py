"""Editing together, compared with what others use for it."""
