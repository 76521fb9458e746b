"""What is wrong with a document that does not even have the shape of a flow."""

from msgspec import Struct

NOT_A_FLOW = "SF001"
MISSING = "SF002"
WRONG_TYPE = "SF003"
WRONG_VALUE = "SF004"
DUPLICATE = "SF005"
UNKNOWN_KIND = "SF006"
BAD_TEXT = "SF007"
BAD_NUMBER = "SF008"


class Problem(Struct, frozen=True):
    """One fault. `path` is that of the document (`nodes[3].label`), empty for the document itself."""

    path: str
    message: str
    code: str
    fix: str | None = None
    node_id: str | None = None
    edge_id: str | None = None
    """Whose fault it is, where the path leads into a node or edge that has an id."""


def join_path(*parts: str | int) -> str:
    """Write keys and list positions as a path: `nodes`, 3, `label` → `nodes[3].label`."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path
