"""Flows: what is kept, in which version, and who may see it."""
