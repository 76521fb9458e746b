"""What the compiler says about a flow: rules, their findings, and the one order in which they are shown."""

import re
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

Severity: TypeAlias = Literal["error", "warning"]

ERROR: Severity = "error"
WARNING: Severity = "warning"


class Rule(Struct, frozen=True):
    """One thing that can be wrong, documented where it is checked.

    `docs/diagnostics.md` is generated from these, and a test runs every example.
    """

    code: str
    """`SF` and three digits; never reused."""
    name: str
    template: str
    """The message, as a format string."""
    what: str
    why: str
    example: Any
    """Top-level keys that, laid over the base document of `document.py`, give this finding.

    What is no mapping is a whole document by itself.
    """
    severity: Severity = ERROR


class Diagnostic(Struct, frozen=True):
    """One finding. `path` is that of the document, `nodes[3].config.goal`."""

    severity: Severity
    code: str
    message: str
    path: str | None = None
    node_id: str | None = None
    edge_id: str | None = None
    fix: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what goes on the wire: `path` and `fix` only where there is one."""
        found: dict[str, Any] = {"severity": self.severity, "code": self.code, "message": self.message}
        if self.path is not None:
            found["path"] = self.path
        found |= {"node_id": self.node_id, "edge_id": self.edge_id}
        if self.fix is not None:
            found["fix"] = self.fix
        return found


MAX_FINDINGS = 10_000


class Sink(Struct):
    """Collects findings, at most `MAX_FINDINGS` and as many errors beyond. Rules report here and go on."""

    found: list[Diagnostic] = field(default_factory=list)
    has_errors: bool = False

    def report(
        self,
        rule: Rule,
        path: str | None,
        *,
        node_id: str | None = None,
        edge_id: str | None = None,
        fix: str | None = None,
        **fields: str,
    ) -> None:
        """Add one finding; `fields` fill the rule's template."""
        self.has_errors = self.has_errors or rule.severity == ERROR
        if len(self.found) >= (2 if rule.severity == ERROR else 1) * MAX_FINDINGS:
            return
        message = rule.template.format(**fields)
        self.found.append(Diagnostic(rule.severity, rule.code, message, path, node_id, edge_id, fix))

    @property
    def has_enough(self) -> bool:
        """Whether it takes no more warnings."""
        return len(self.found) >= MAX_FINDINGS

    def ordered(self) -> list[Diagnostic]:
        """Return the findings by their place in the document, then by code."""
        return sorted(self.found, key=lambda item: (document_position(item.path), item.code, item.message))


SECTIONS = (
    "$schema",
    "id",
    "name",
    "version",
    "scaicore_target",
    "metadata",
    "nodes",
    "edges",
    "variables",
    "config",
    "tests",
)
PART = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


def document_position(path: str | None) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key: sections in the order of the schema, list entries by number.

    The order of keys in the input has no part in it; what concerns the whole document comes first.
    """
    if not path:
        return ()
    parts = [(0, int(index), "") if index else (1, 0, name) for index, name in PART.findall(path)]
    section = parts[0][2] if parts else ""
    rank = SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)
    return ((0, rank, section), *parts[1:])
