"""Versions of flows: `major.minor.patch`, of which the server only ever raises the patch."""

import re
from typing import NamedTuple

_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)


class Version(NamedTuple):
    """A semantic version without pre-release or build parts; ordered."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Read `1.0.2`; None when the text is no plain version."""
        found = _SEMVER.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None

    @classmethod
    def of(cls, stored: str) -> "Version":
        """Read a version that the server wrote itself."""
        return cls(*map(int, stored.split(".")))

    def next_patch(self) -> "Version":
        return self._replace(patch=self.patch + 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


FIRST = Version(1, 0, 0)
