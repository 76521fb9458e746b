"""What the compiler knows of the world, as data: time zones, cron, plugins, what secrets look like."""
