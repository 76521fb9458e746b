"""SCIR bundles (`.scir`): the binary form of a module, and its framing.

    53 43 49 52   01   00 00 00   <one MessagePack map>
    S  C  I  R    version         the module, as `modules` writes it

The map has text keys and JSON values only: no binary, no extension types, no number that is not finite. What
follows the map is refused. The same module gives the same bytes.
"""

import ormsgpack

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.bundle.modules import read_module, write_module
from scaiflow_api.compiler.manifest.section import ManifestError
from scaiflow_api.flowgraph import FlowTooLarge

MAGIC = b"SCIR"
VERSION = 1
HEADER = MAGIC + bytes([VERSION, 0, 0, 0])
MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 128
"""Lists and maps inside each other, the module being the first."""
MAX_CONTAINERS = 2_000_000
"""Lists and maps in all: an empty one takes a byte in the bundle and seventy in memory."""

_WRITER_DEPTH = 255
"""What ormsgpack itself allows."""
_WRAPPERS = _WRITER_DEPTH - MAX_DEPTH
_STRICT = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


class BundleError(ManifestError):
    """Bytes that are no bundle that can be run. Its message is one sentence for people."""


def write_bundle(module: ir.Module) -> bytes:
    """Return the bundle of a module.

    Raises FlowTooLarge where it would be larger, or nested deeper, than any reader allows, and TypeError for a
    module that holds other things than JSON values.
    """
    # Wrapped in lists until only `MAX_DEPTH` levels are left to it, so that the writer counts the depth for us.
    wrapped: object = write_module(module)
    for _ in range(_WRAPPERS):
        wrapped = [wrapped]
    try:
        packed = ormsgpack.packb(wrapped, option=_STRICT)
    except ormsgpack.MsgpackEncodeError as error:
        if "Recursion limit" in str(error):
            raise FlowTooLarge(limit="bundle nesting", maximum=MAX_DEPTH, actual="more") from error
        raise
    body = b"".join((HEADER, memoryview(packed)[_WRAPPERS:]))
    if len(body) > MAX_BYTES:
        raise FlowTooLarge(limit="bundle bytes", maximum=MAX_BYTES, actual=len(body))
    return body


def read_bundle(data: bytes) -> ir.Module:
    """Return the module of a bundle. Raises BundleError, and nothing else.

    Size, depth and number of containers are bounded before any value is built.
    """
    payload = _unframe(data)
    _check_payload(payload)
    try:
        values = ormsgpack.unpackb(payload)
    except ormsgpack.MsgpackDecodeError as error:
        raise BundleError(f"The bundle is not readable MessagePack: {error}.") from error
    try:
        return read_module(values)
    except ManifestError as error:
        raise BundleError(error.message) from error


def _unframe(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise BundleError(f"The bundle is larger than {MAX_BYTES:,} bytes.")
    if not data.startswith(MAGIC):
        raise BundleError("The bundle must begin with the four bytes SCIR.")
    if len(data) < len(HEADER):
        raise BundleError("The bundle ends within its header of 8 bytes.")
    if data[4] != VERSION:
        raise BundleError(f"The bundle has the version {data[4]}; only version {VERSION} can be read.")
    if not data.startswith(HEADER):
        raise BundleError("The three bytes after the version of the bundle must be zero.")
    return data[len(HEADER) :]


def _check_payload(payload: bytes) -> None:
    """Go through the values without building any: one value, whole, alone, and within the bounds."""
    position = containers = 0
    left = 1
    """Values still to come in the innermost container."""
    outer: list[int] = []
    """The same for the containers around it."""
    try:
        while left or outer:
            if not left:
                left = outer.pop()
                continue
            left -= 1
            size = _SIZES[payload[position]]
            if size:
                position += size
                continue
            position, children = _read_head(payload, position)
            if children is not None:
                containers += 1
                outer.append(left)
                left = children
                if len(outer) > MAX_DEPTH:
                    raise BundleError(f"The bundle is nested more than {MAX_DEPTH} levels deep.")
                if containers > MAX_CONTAINERS:
                    raise BundleError(f"The bundle has more than {MAX_CONTAINERS:,} lists and maps.")
    except IndexError:
        position = len(payload) + 1
    if position > len(payload):
        raise BundleError("The bundle is cut short.")
    if position < len(payload):
        raise BundleError(f"The bundle has {len(payload) - position:,} bytes too many after its map.")


def _sizes() -> list[int]:
    """Return, by first byte, how long a value is in all; 0 where one must look closer."""
    sizes = [0] * 256
    sizes[0x00:0x80] = [1] * 128  # small numbers
    sizes[0xE0:0x100] = [1] * 32  # small negative numbers
    sizes[0xA0:0xC0] = range(1, 33)  # short texts
    for first, size in {0xC0: 1, 0xC2: 1, 0xC3: 1, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}.items():
        sizes[first] = size  # null, false, true, unsigned numbers
    sizes[0xD0:0xD4] = [2, 3, 5, 9]  # signed numbers
    return sizes


_SIZES = _sizes()
_FLOATS = {0xCA: 4, 0xCB: 8}
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
"""First byte → bytes of the length."""
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""First byte → bytes of the length, values per item."""


def _read_head(payload: bytes, position: int) -> tuple[int, int | None]:
    """Return where the value's children or, without any, its successor begins, and the number of children.

    Raises IndexError where the payload ends before that can be said.
    """
    first = payload[position]
    position += 1
    if 0x80 <= first < 0xA0:
        return position, (first & 0x0F) * (1 if first >= 0x90 else 2)
    if first in _FLOATS:
        _check_finite(payload[position : position + _FLOATS[first]], first)
        return position + _FLOATS[first], None
    if first in _TEXTS:
        width = _TEXTS[first]
        return position + width + _number(payload, position, width), None
    if first in _CONTAINERS:
        width, per_item = _CONTAINERS[first]
        return position + width, _number(payload, position, width) * per_item
    raise BundleError(f"The bundle holds a value of a type that JSON does not have (0x{first:02x}).")


def _number(payload: bytes, position: int, width: int) -> int:
    if position + width > len(payload):
        raise IndexError
    return int.from_bytes(payload[position : position + width])


def _check_finite(number: bytes, first: int) -> None:
    exponent = 0x7F80 if first == 0xCA else 0x7FF0
    if int.from_bytes(number[:2]) & exponent == exponent:
        raise BundleError("The bundle holds a number that is not finite.")
