"""What the verifier reports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong. `path` leads into the module, as in `flows[0].body[3]`."""

    code: str
    message: str
    path: str
