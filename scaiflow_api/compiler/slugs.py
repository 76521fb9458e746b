"""Slugs: the names of Cores, flows and triggers, made from what people call them."""

import re
import unicodedata
from collections.abc import Iterable


def slugify(text: str) -> str:
    """Return lower-case Latin letters and digits joined by dashes; empty where the text has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names with `-2`, `-3`, … after those that came before."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}-{number}", number + 1
        taken.add(candidate)
        result.append(candidate)
    return result
