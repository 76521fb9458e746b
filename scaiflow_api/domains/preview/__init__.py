"""Compiling and validating without keeping anything."""
