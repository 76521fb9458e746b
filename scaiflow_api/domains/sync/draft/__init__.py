"""The draft of a flow, seen from REST: read, saved as a version, discarded, and kept up to what others save."""
