"""What a literal secret looks like. Conservative: what is reported should be one.

Each pattern begins where its run of characters begins, so that searching takes linear time.
"""

import re

import orjson

_TOKENS = (
    r"(?<![A-Za-z0-9_-])sgk_[A-Za-z0-9_-]{12,}",
    r"(?<![A-Za-z0-9_-])sk-(?:[a-z0-9]{2,12}-)?[A-Za-z0-9_]{20,}",
    r"(?<![A-Za-z0-9_])gh[pousr]_[A-Za-z0-9]{20,}",
    r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![0-9A-Za-z])",
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----",
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    r"://[^/\s:@{}]{1,128}:[^/\s@{}]{1,128}@",
)
_SECRET = re.compile("|".join(_TOKENS))
"""Keys of the platform and of others, private keys, signed tokens, passwords in URLs."""

_URL = b"://"
_LOGIN = re.compile(rb"://[^/@{} ]{3,1537}@")
"""A URL that may have a password in it, in JSON: a character takes up to six bytes there."""
MARKS = (
    b"sgk_",
    b"sk-",
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"akia",
    b"-----begin",
    b"eyj",
    _URL,
    b"passw",
    b"passphrase",
    b"secret",
    b"key",
    b"token",
)
"""One of these is in every secret, or in the key that says so, written small; none is changed by JSON."""

_NAMES = re.compile(
    r"(?:.*[_. -])?(?:password|passwd|passphrase|secret|api[_-]?key|secret[_-]?key|private[_-]?key|token)",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_POSITIONS = re.compile(
    r".*(?:page|next|prev|previous|continuation|sync|cursor|max|stop)[_. -]?token", re.IGNORECASE
)
"""Tokens that are no secrets: places in a list, words of a model."""


def marks_of_secrets(value: object, marks: tuple[bytes, ...] = MARKS) -> tuple[bytes, ...]:
    """Return which of the marks are in a JSON value: without any there is no secret. Quick, and only a first look."""
    try:
        text = orjson.dumps(value).lower()
    except orjson.JSONEncodeError:
        return marks
    return tuple([mark for mark in marks if mark in text and (mark is not _URL or _LOGIN.search(text))])


def looks_like_secret(text: str) -> bool:
    """Return whether a text holds something in the form of a secret."""
    return _SECRET.search(text) is not None


def names_secret(key: str) -> bool:
    """Return whether a key says that its value is a secret: `password`, `API_KEY`, `accessToken`."""
    words = _CAMEL.sub("_", key)
    return _NAMES.fullmatch(words) is not None and _POSITIONS.fullmatch(words) is None
