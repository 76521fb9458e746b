"""`Violation`: one problem that the verifier found in a module."""

from msgspec import Struct


class Violation(Struct, frozen=True):
    """One thing that is wrong. `path` leads into the module, as in `flows[0].body[3]`."""

    code: str
    message: str
    path: str
