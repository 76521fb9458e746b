"""What can go wrong while a block runs, and what the author said shall happen then."""

import re
from dataclasses import dataclass

_RETRY = re.compile(r"retry\s*(?:\(\s*max\s*=\s*(\d{1,3})\s*\))?", re.ASCII)


class BlockFailed(Exception):
    """A block that could not do its work. `handled`: the author's policy lets the run go on with null."""

    def __init__(self, code: str, message: str, *, handled: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.handled = handled
        self.node_id: str | None = None
        """The node it began at, once a block with a node has failed of it."""

    def at(self, node_id: str | None) -> "BlockFailed":
        """Return the failure, begun at this node unless it began at another one."""
        self.node_id = self.node_id or node_id
        return self


class RunFailed(Exception):
    """A run that ended without an output."""

    def __init__(self, code: str, message: str, node_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.node_id = node_id

    def as_dict(self) -> dict[str, str | None]:
        """Return the error as it goes on the wire."""
        return {"code": self.code, "message": self.message, "node_id": self.node_id}


@dataclass(frozen=True, slots=True)
class Policy:
    """`retry(max=N) | escalate | continue`, chained: so many further attempts, then the first other action."""

    retries: int = 0
    then: str = "fail"
    """`fail`, `escalate` or `continue`."""


def parse_policy(text: str | None) -> Policy:
    """Read `on_failure` or `on_validation_failure`; None means to fail. Raises BlockFailed."""
    retries = 0
    for action in (text or "fail").split("|"):
        name = action.strip()
        found = _RETRY.fullmatch(name)
        if found:
            retries += int(found[1] or 1)
        elif name in {"fail", "escalate", "continue"}:
            return Policy(retries, name)
        else:
            raise BlockFailed(
                "INVALID_POLICY", f"the policy {text!r} holds {name!r}, which is no known action"
            )
    return Policy(retries)
