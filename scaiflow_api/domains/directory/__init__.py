"""The mirror of ScaiKey's people and groups: the sync, its loop, and the roles that groups give."""
