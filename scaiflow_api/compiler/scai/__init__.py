"""The module as text for people. One direction."""
