"""How a command says that it cannot go on."""


class CommandFailed(Exception):
    """One clear sentence for the person at the terminal."""
