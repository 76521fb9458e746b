"""Checks whether a server can listen on a port."""

import socket

from scaiflow_api.cli.failure import CommandFailed


def require_free_port(host: str, port: int, variable: str) -> None:
    """Raise CommandFailed when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandFailed(
                f"cannot listen on {host}:{port} ({error.strerror}); stop what uses it, or set {variable}"
            ) from None
