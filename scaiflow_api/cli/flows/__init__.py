"""Commands for flow files. They need no server, no settings and no environment."""
