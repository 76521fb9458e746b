"""Queues between flows, services and people: scopes, the queues in them, and messages that are claimed."""
