"""The parts of names that are counted as names change, because so many hold them that counting takes long.

They are single letters, and the empty part, which every name holds (docs/adr/0029).
"""

from typing import Final

ALL_NAMES: Final = b""
"""The part that every name holds."""


def counted_parts(key: str) -> set[bytes]:
    """Return the UTF-8 of the parts of a name that are counted, each once."""
    return {ALL_NAMES, *(letter.encode() for letter in key)}


def is_counted(part: str) -> bool:
    """Tell whether it is known how many names hold a part."""
    return len(part) <= 1
