"""Editing a flow together: sockets, rooms, and the log that everything seen by anybody is in."""
