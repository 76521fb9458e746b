"""What deployed flows do: their events, and running one."""
