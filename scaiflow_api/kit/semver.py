"""Versions of flows: semantic versions, of which the server only ever raises the patch."""

import re
from typing import Final, NamedTuple

_NUMBER: Final = r"(0|[1-9]\d*)"
_PART: Final = r"(?:0|[1-9]\d*|\d*[a-z-][0-9a-z-]*)"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}((?:-{_PART}(?:\.{_PART})*)?(?:\+[0-9a-z-]+(?:\.[0-9a-z-]+)*)?)",
    re.ASCII | re.IGNORECASE,
)
_LONGEST: Final = 60
_LARGEST: Final = 999_999_999


class Version(NamedTuple):
    """A semantic version; ordered among those of one flow, of which no two have the same numbers."""

    major: int
    minor: int
    patch: int
    mark: str = ""
    """What marks a pre-release or a build, as in `1.0.0-rc.1+b7`: a flow begins with it, or never has it."""

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Read `1.0.2`; None when the text is no semantic version, or enormous."""
        found = _SEMVER.fullmatch(text) if len(text) <= _LONGEST else None
        version = cls._made(found) if found else None
        return version if version and max(version[:3]) <= _LARGEST else None

    @classmethod
    def of(cls, stored: str) -> "Version":
        """Read a version that the server wrote itself."""
        found = _SEMVER.fullmatch(stored)
        assert found is not None, stored
        return cls._made(found)

    @classmethod
    def _made(cls, found: re.Match[str]) -> "Version":
        major, minor, patch, mark = found.groups()
        return cls(int(major), int(minor), int(patch), mark)

    def next_patch(self) -> "Version":
        return Version(self.major, self.minor, self.patch + 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}{self.mark}"


FIRST = Version(1, 0, 0)
