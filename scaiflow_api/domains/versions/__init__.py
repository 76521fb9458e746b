"""The versions of a flow: what there is, what differs, and back to an older one."""
