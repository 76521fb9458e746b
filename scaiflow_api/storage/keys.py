"""Which keys are legal, those that files, S3 and SeaweedFS all keep as they are; and how ids become parts of them.

SeaweedFS drops empty segments, takes a backslash for a slash and refuses segments over 255 bytes.
"""

import re
from typing import Final
from urllib.parse import unquote

MAX_KEY_BYTES: Final = 1024
MAX_SEGMENT_BYTES: Final = 255
_OUTSIDE: Final = re.compile(rb"[^A-Za-z0-9_.-]")
_ONLY_DOTS: Final = re.compile(rb"\.+")
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\]")


def check_key(key: str) -> None:
    """Raise ValueError unless `key` is legal. Keys are made by the program, so a bad one is a bug."""
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"the key is longer than {MAX_KEY_BYTES} bytes")
    if _FORBIDDEN.search(key):
        raise ValueError(f"the key {key!r} holds a control character or a backslash")
    for segment in key.split("/"):
        if segment in {"", ".", ".."}:
            raise ValueError(f"the key {key!r} has the segment {segment!r}")
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            raise ValueError(f"a segment of the key is longer than {MAX_SEGMENT_BYTES} bytes")


def check_prefix(prefix: str) -> None:
    """Raise ValueError unless some legal key may begin with `prefix`. The empty prefix is legal."""
    whole_segments, slash, _ = prefix.rpartition("/")
    if slash:
        check_key(whole_segments)
    if _FORBIDDEN.search(prefix):
        raise ValueError(f"the prefix {prefix!r} holds a control character or a backslash")


def segment(id_: str) -> str:
    """Escape an id so that it is one segment of a key: ids are opaque, whoever made them."""
    raw = id_.encode()
    return raw.decode().replace(".", "%2E") if _ONLY_DOTS.fullmatch(raw) else escape(id_)


def escape(text: str) -> str:
    """Escape a text that is a part of a segment, reversibly."""
    return _OUTSIDE.sub(lambda match: f"%{match[0][0]:02X}".encode(), text.encode()).decode()


def unescape(text: str) -> str:
    """Return what `segment` or `escape` made this of; what they never make gives anything."""
    return unquote(text, errors="replace")
