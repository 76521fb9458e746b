"""Which arm of a match block is taken."""

from collections.abc import Callable, Mapping

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value, truthy
from scaiflow_api.localgrid.runtime.evaluation import equal, evaluated
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame


def first_arm(block: ir.MatchBlock, frame: Frame, fail: Callable[[BlockFailed], None]) -> ir.MatchArm | None:
    """Return the first arm that holds, or None.

    `fail` is told of conditions that failed; when it returns, the next one is tried.
    """
    owner = block.node_id or block.source_location.node_id
    local = frame.local_of(owner) if owner else {}
    subject = _Subject(block.subject)
    for arm in block.arms:
        names = frame.names(local)
        try:
            value = evaluated(arm.condition, names)
            holds = subject.equals(value, names) if arm.compares else truthy(value)
        except BlockFailed as failure:
            fail(failure)
            if owner is not None:
                frame.nullify(owner)
            continue
        if holds:
            return arm
    return None


class _Subject:
    """A match's subject, evaluated when the first arm asks for it, and not again."""

    def __init__(self, text: str | None) -> None:
        self._text = text
        self._value: tuple[Value] | None = None

    def equals(self, other: Value, names: Mapping[str, Value]) -> bool:
        """Compare. Raises BlockFailed when the subject cannot be evaluated, but only once: then nothing equals it."""
        if self._text is not None:
            text, self._text = self._text, None
            self._value = (evaluated(text, names),)
        return self._value is not None and equal(other, self._value[0])
