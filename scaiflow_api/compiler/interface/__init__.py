"""Whether those who call a flow could break by a change of it."""
