"""Finding out whether the audit log is as it was written: in the database, or in an export of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from scaiflow_api.db.audit import as_record
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.repository import AuditRepository, Wanted
from scaiflow_api.kit.hash_chain import ChainCheck, Finding, Head

_ROWS_AT_ONCE = 1000
_BEFORE_ALL = -(2**63)


class UnreadableLine(Exception):
    """A line that is no row of an audit log, for whatever reason."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is no row of an audit log")


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What was found in the chain of one tenant."""

    tenant_id: str
    rows: int
    last: Head
    """The last row that is there; number 0: there is none."""
    findings: Sequence[Finding]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "tenant_id": self.tenant_id,
            "whole": not self.findings,
            "rows": self.rows,
            "last": {"seq": self.last.seq, "hash": self.last.hash},
            "findings": [
                {
                    "damage": found.damage,
                    "first_seq": found.first,
                    "last_seq": found.last,
                    "message": str(found),
                }
                for found in self.findings
            ],
        }


async def tenants_with_a_log(db: Database) -> Sequence[str]:
    async with db.read() as session:
        return await AuditRepository(session).tenants()


async def verify_chain(db: Database, tenant_id: str, *, noted: Head | None = None) -> ChainReport:
    """Check a tenant's chain up to the head that it has now; rows may be appended meanwhile.

    `noted` is a head of before, from elsewhere: it finds a chain that was rewritten as a whole.
    """
    async with db.read() as session:
        head, last = await AuditRepository(session).ends(tenant_id)
    check = ChainCheck(noted=noted)
    after = _BEFORE_ALL
    while after < last:
        async with db.read() as session:
            rows = await AuditRepository(session).oldest(
                Wanted(tenant_id=tenant_id), after=after, until=last, size=_ROWS_AT_ONCE
            )
        if not rows:
            break
        for row in rows:
            check.feed(as_record(row))
        after = rows[-1].seq
    check.close(head)
    return ChainReport(tenant_id, check.checked, check.last, check.findings)


def verify_lines(lines: Iterable[bytes], *, gaps: bool, noted: Head | None = None) -> list[ChainReport]:
    """Check an export, whose last row nobody vouches for. `gaps`: only some rows were asked for.

    Raises UnreadableLine.
    """
    checks: dict[str, ChainCheck] = {}
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record is None:
            raise UnreadableLine(number)
        tenant_id = record["tenant_id"]
        if tenant_id not in checks:
            checks[tenant_id] = ChainCheck(gaps=gaps, noted=noted)
        checks[tenant_id].feed(record)
    for check in checks.values():
        check.close(check.last)
    return [
        ChainReport(tenant_id, check.checked, check.last, check.findings)
        for tenant_id, check in checks.items()
    ]


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or type(record.get("seq")) is not int:
        return None
    texts = (record.get(name) for name in ("tenant_id", "prev_hash", "hash"))
    return record if all(isinstance(text, str) for text in texts) else None
