"""What housekeeping found and did."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

_EXAMPLES: Final = 20


@dataclass
class Objects:
    """What is in the store."""

    seen: int = 0
    named: int = 0
    """By a row."""
    young: int = 0
    """Not old enough to be judged."""
    foreign: int = 0
    """Not named like ours, so never touched."""
    orphans: int = 0
    orphan_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0
    orphan_examples: list[str] = field(default_factory=list)
    foreign_examples: list[str] = field(default_factory=list)

    def note_foreign(self, key: str) -> None:
        self.foreign += 1
        _note(self.foreign_examples, key)

    def note_orphan(self, key: str, size: int) -> None:
        self.orphans += 1
        self.orphan_bytes += size
        _note(self.orphan_examples, key)


@dataclass
class Report:
    """Filled while housekeeping goes on, so that it is true wherever that stops."""

    dry_run: bool
    before: datetime
    """Objects and unfinished files that are younger were left alone."""
    objects: Objects = field(default_factory=Objects)
    unfinished_files: int = 0
    """Removed, or to be removed in a dry run; so with the next one."""
    idempotency_keys: int = 0
    complete: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "before": self.before.isoformat()}


def _note(examples: list[str], key: str) -> None:
    if len(examples) < _EXAMPLES:
        examples.append(key)
