"""What an update may hold before the library sees it: it follows nested values on the stack, and dies of deep ones.

A value of some thousand lists inside each other, two bytes each, ends the process that reads it (pycrdt 0.14).
"""

from typing import Final

from scaiflow_api.domains.sync.document.shape import MAX_DEPTH

_HARMLESS: Final = 500
"""Lists and objects in an update that need no closer look, however they are nested."""
_LIST, _OBJECT = 117, 118
_FIXED: Final = {123: 8, 124: 4, 122: 8, 127: 0, 126: 0, 120: 0, 121: 0}
"""Bytes that follow the kinds of values of one size: floats, a large integer, undefined, null, true and false."""
_DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
_NAMED_TYPES: Final = (3, 5)
_KNOWN_TYPES: Final = 6


def is_safe(update: bytes) -> bool:
    """Return whether the library can read the values in an update (format 1); what cannot be parsed is not safe."""
    if update.count(_LIST) + update.count(_OBJECT) <= _HARMLESS:
        return True
    try:
        _Parser(update).update()
    except (IndexError, ValueError):
        return False
    return True


class _Parser:
    """Walks over an update. Raises ValueError, or IndexError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def update(self) -> None:
        for _ in range(self._number()):
            structs = self._number()
            self._number()  # client
            self._number()  # clock
            for _ in range(structs):
                self._struct()

    def _struct(self) -> None:
        info = self._byte()
        kind = info & 31
        if kind in (0, _SKIP):
            self._number()
            return
        for side in (0x80, 0x40):
            if info & side:
                self._number()
                self._number()
        if not info & 0xC0:
            if self._number():
                self._bytes()
            else:
                self._number()
                self._number()
            if info & 0x20:
                self._bytes()
        self._content(kind)

    def _content(self, kind: int) -> None:
        if kind == _ANY:
            self._values(self._number())
        elif kind in (_STRING, _BINARY):
            self._bytes()
        elif kind == _DELETED:
            self._number()
        elif kind == _TYPE:
            type_ref = self._number()
            if type_ref > _KNOWN_TYPES:
                raise ValueError("a type that nobody knows")
            if type_ref in _NAMED_TYPES:
                self._bytes()
        elif kind == _DOC:
            self._bytes()
            self._values(1)
        elif kind in (_JSON, _EMBED, _FORMAT):
            for _ in range(self._number() if kind == _JSON else 1):
                if kind == _FORMAT:
                    self._bytes()
                self._bytes()
        else:
            raise ValueError("a content that nobody knows")

    def _values(self, count: int) -> None:
        """Walk over values; the open lists and objects are on a stack of our own."""
        left, keyed = [count], [False]
        while left:
            if not left[-1]:
                left.pop()
                keyed.pop()
                continue
            left[-1] -= 1
            if keyed[-1]:
                self._bytes()
            kind = self._byte()
            if kind in (_LIST, _OBJECT):
                if len(left) > MAX_DEPTH:
                    raise ValueError("nested too deeply")
                left.append(self._number())
                keyed.append(kind == _OBJECT)
            elif kind in (119, 116):
                self._bytes()
            elif kind == 125:
                self._number()
            else:
                if kind not in _FIXED:
                    raise ValueError("a value that nobody knows")
                self._at += _FIXED[kind]

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _number(self) -> int:
        """Read a number; of a signed one the size does not matter here."""
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 70:
                raise ValueError("a number that does not end")

    def _bytes(self) -> bytes:
        length = self._number()
        start = self._at
        self._at += length
        if self._at > len(self._data):
            raise IndexError
        return self._data[start : self._at]
