"""Numbers and lengths as lib0 writes them: seven bits a byte, the lowest first."""

from typing import Final

_MOST: Final = 2**53 - 1
"""JavaScript's largest exact integer; lib0 reads none above it."""


class Malformed(Exception):
    """Bytes that are not what they should be."""


def encoded(number: int) -> bytes:
    """Return a number as it is written."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def with_length(data: bytes) -> bytes:
    """Return bytes behind their length."""
    return encoded(len(data)) + data


class Reader:
    """Reads what was written, from the front. Every method raises Malformed where it is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        """Read a number."""
        value = shift = 0
        while True:
            if self._at >= len(self._data):
                raise Malformed("a number is cut off")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if value > _MOST:
                raise Malformed("a number is too large")
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Malformed("a number is too long")

    def data(self) -> bytes:
        """Read bytes that stand behind their length."""
        length = self.number()
        end = self._at + length
        if end > len(self._data):
            raise Malformed("data is cut off")
        found = self._data[self._at : end]
        self._at = end
        return found

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._data):
            raise Malformed("something follows the message")
