"""The command line. `commands.py` lists what there is; each command has a room of its own."""
