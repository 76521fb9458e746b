"""`scaiflow audit verify`: whether the audit log is as it was written."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from scaiflow_api.cli.database import database_in_use, settings_of_a_database
from scaiflow_api.cli.failure import CommandFailed, Unusable
from scaiflow_api.cli.flows.files import STANDARD, print_json, reason_of, shown_name
from scaiflow_api.cli.terminal import visible
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.verification import (
    ChainReport,
    UnreadableLine,
    tenants_with_a_log,
    verify_chain,
    verify_lines,
)
from scaiflow_api.kit.hash_chain import Head


def verify(
    *, tenant_id: str | None, noted: str | None, file: str | None, filtered: bool, as_json: bool
) -> int:
    """Say what was found; return 1 if anything is wrong."""
    if noted is not None and tenant_id is None and file is None:
        raise Unusable("--noted is the last row of one log: name it with --tenant or --file")
    head = _head(noted) if noted is not None else None
    if file is not None:
        reports = _of_file(file, gaps=filtered, noted=head)
    else:
        url = settings_of_a_database().database.url.get_secret_value()
        reports = asyncio.run(_of_database(url, tenant_id, head))
    if tenant_id is not None:
        reports = [report for report in reports if report.tenant_id == tenant_id]
        if not any(report.rows or report.findings for report in reports):
            raise CommandFailed(f"there is no audit log of the tenant '{tenant_id}'")
    whole = not any(report.findings for report in reports)
    if as_json:
        print_json({"whole": whole, "logs": [report.as_dict() for report in reports]})
    else:
        _show(reports)
    return 0 if whole else 1


def _show(reports: Sequence[ChainReport]) -> None:
    if not reports:
        print("the audit log is empty", file=sys.stderr)
    for report in reports:
        state = "damaged" if report.findings else "whole"
        end = f", the last is {report.last.seq}:{report.last.hash}" if report.rows else ""
        print(visible(f"{report.tenant_id}: {state}; {report.rows} rows{end}"))
        for found in report.findings:
            print(f"  {found}")


def _head(noted: str) -> Head:
    seq, _, own = noted.partition(":")
    if not (seq.isascii() and seq.isdecimal() and own):
        raise Unusable("--noted takes SEQ:HASH, as this command prints it")
    return Head(int(seq), own)


def _of_file(name: str, *, gaps: bool, noted: Head | None) -> list[ChainReport]:
    try:
        if name == STANDARD:
            return verify_lines(sys.stdin.buffer, gaps=gaps, noted=noted)
        with Path(name).open("rb") as lines:
            return verify_lines(lines, gaps=gaps, noted=noted)
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot read {shown_name(name)}: {reason_of(error)}") from None
    except UnreadableLine as error:
        raise CommandFailed(f"{shown_name(name)}: {error}") from None


async def _of_database(url: str, tenant_id: str | None, noted: Head | None) -> list[ChainReport]:
    with database_in_use():
        db = Database(url, pool_size=1)
        try:
            tenants = await tenants_with_a_log(db) if tenant_id is None else [tenant_id]
            return [await verify_chain(db, tenant, noted=noted) for tenant in tenants]
        finally:
            await db.close()
