"""The names of this machine, for what must not be reached from another."""

import re
from collections.abc import Sequence

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:]+)\]|(?P<name>[^:\[\]]+))(?::\d{1,5})?", re.ASCII)


def names_this_machine(hosts: Sequence[str]) -> bool:
    """Tell whether a request's `Host` headers are exactly one, and name this machine, with or without a port."""
    if len(hosts) != 1:
        return False
    found = _HOST.fullmatch(hosts[0].lower())
    return found is not None and (found["v6"] or found["name"]) in LOOPBACK
