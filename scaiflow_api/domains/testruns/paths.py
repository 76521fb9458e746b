"""JSON paths, as mismatches report them: `$.orders[0]['unit price']`."""

import json
import re

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def key_path(path: str, key: str) -> str:
    """Return the path of a member."""
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}"
    quoted = json.dumps(key, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"{path}['{quoted}']"


def item_path(path: str, index: int) -> str:
    """Return the path of an element."""
    return f"{path}[{index}]"
