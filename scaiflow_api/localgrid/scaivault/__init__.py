"""The keeper of secrets: versions that are never overwritten, for services with a token of their own."""
