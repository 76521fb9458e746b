"""Intermediate representation → text, one file per format."""
