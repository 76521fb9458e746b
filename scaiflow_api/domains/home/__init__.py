"""Pages for people: the front door, the way back from signing in, the documentation."""
