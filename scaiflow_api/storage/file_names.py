"""File names for keys: reversible, and safe where case, dots or length matter to the file system.

* A byte outside `[a-z0-9_.-]` is `%xx`, so two keys never meet on a file system that folds case.
* An object's name holds a dot and a folder's does not (there it is `%2e`). So `a` and `a/b` go
  together. An object without a dot gets `%.` at its end.
* No name begins with a dot: those names are the store's own.
* From 80 bytes on, each 80 bytes are a folder `…+` of their own: three characters a byte must fit
  into the 255 that file systems allow.

The usual key is its own path: `flows/tnt_acme/flow_x/v1.0.0.flow.json`.
"""

import re
from enum import Enum
from typing import Final
from urllib.parse import unquote_to_bytes

_PIECE_BYTES: Final = 80
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_DOT: Final = ord(".")
_END: Final = "%."
_EMPTY_FOLDER: Final = "%"
_NAME: Final = re.compile(r"[a-z0-9_.%+-]+")


class NameKind(Enum):
    """What stands under a name."""

    OBJECT = "object"
    FOLDER = "folder"
    """A whole segment of a key."""
    PIECE = "piece"
    """80 bytes of a long segment."""


def relative_path(key: str) -> str:
    """Return where the object of a legal key lies below the root."""
    *folders, name = key.encode().split(b"/")
    parts = [part for folder in folders for part in _split(folder, NameKind.FOLDER)]
    return "/".join([*parts, *_split(name, NameKind.OBJECT)])


def relative_folder(key: str) -> str:
    """Return where the folder lies that holds what is below a legal key."""
    return "/".join(part for folder in key.encode().split(b"/") for part in _split(folder, NameKind.FOLDER))


def read_name(name: str) -> tuple[bytes, NameKind] | None:
    """Return the bytes of the key that a file name stands for, or None for a name we never write."""
    if not _NAME.fullmatch(name) or name.startswith("."):
        return None
    if name.endswith("+"):
        kind, text = NameKind.PIECE, name[:-1]
    elif "." in name:
        kind, text = NameKind.OBJECT, name.removesuffix(_END)
    else:
        kind, text = NameKind.FOLDER, "" if name == _EMPTY_FOLDER else name
    part = unquote_to_bytes(text)
    return (part, kind) if _name(part, kind) == name else None


def _split(segment: bytes, kind: NameKind) -> list[str]:
    whole = len(segment) - len(segment) % _PIECE_BYTES
    pieces = [segment[start : start + _PIECE_BYTES] for start in range(0, whole, _PIECE_BYTES)]
    return [*(_name(piece, NameKind.PIECE) for piece in pieces), _name(segment[whole:], kind)]


def _name(part: bytes, kind: NameKind) -> str:
    dots = kind is NameKind.OBJECT
    text = "".join(
        chr(byte) if byte in _PLAIN or (byte == _DOT and dots and index) else f"%{byte:02x}"
        for index, byte in enumerate(part)
    )
    match kind:
        case NameKind.PIECE:
            return text + "+"
        case NameKind.FOLDER:
            return text or _EMPTY_FOLDER
        case NameKind.OBJECT:
            return text if "." in text else text + _END
