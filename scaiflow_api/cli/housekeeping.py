"""`scaiflow gc`: one round of housekeeping with the settings of the environment."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from scaiflow_api.cli.database import settings_of_a_database
from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.terminal import visible
from scaiflow_api.db.session import Database
from scaiflow_api.domains.housekeeping.errors import HousekeepingStopped
from scaiflow_api.domains.housekeeping.service import Housekeeping
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.resources import open_store
from scaiflow_api.storage import StoreNotUsable

if TYPE_CHECKING:
    from scaiflow_api.domains.housekeeping.report import Report
    from scaiflow_api.settings import Settings


def collect_garbage(*, dry_run: bool, as_json: bool, force: bool) -> None:
    """Print what was found and removed, even if the round stopped half way. Raises CommandFailed."""
    settings = settings_of_a_database()
    try:
        report, failure = asyncio.run(_run(settings, dry_run=dry_run, force=force))
    except StoreNotUsable as error:
        raise CommandFailed(str(error)) from None
    print(json.dumps(report.as_dict(), indent=2) if as_json else _told(report))
    if failure is not None:
        raise CommandFailed(failure)


async def _run(settings: "Settings", *, dry_run: bool, force: bool) -> "tuple[Report, str | None]":
    """Return the report, and why it is not complete."""
    async with AsyncExitStack() as stack:
        db = Database(settings.database.url.get_secret_value(), pool_size=settings.database.pool_size)
        stack.push_async_callback(db.close)
        blobs = open_store(settings.store)
        stack.push_async_callback(blobs.close)
        housekeeping = Housekeeping(db, blobs, SystemClock(), grace_s=settings.housekeeping.grace_s)
        report = housekeeping.begin(dry_run=dry_run)
        try:
            await housekeeping.run(report, force=force)
        except (HousekeepingStopped, AppError) as stopped:
            return report, str(stopped)
    return report, None


def _told(report: "Report") -> str:
    objects = report.objects
    count, size = (
        (objects.orphans, objects.orphan_bytes)
        if report.dry_run
        else (objects.removed, objects.removed_bytes)
    )
    word = "would be removed" if report.dry_run else "removed"
    found = (
        f"objects: {objects.seen} seen, {objects.named} named by rows, {objects.young} too young to judge, "
        f"{objects.foreign} not ours, {objects.orphans} without a row"
    )
    done = (
        f"{word}: {count} objects ({size} bytes), {report.unfinished_files} unfinished files, "
        f"{report.idempotency_keys} expired idempotency keys"
    )
    lines = [found, done]
    lines += _listed("without a row", objects.orphans, objects.orphan_examples)
    lines += _listed("not ours", objects.foreign, objects.foreign_examples)
    return "\n".join(lines)


def _listed(word: str, count: int, examples: list[str]) -> list[str]:
    lines = [f"{word}: {visible(key)}" for key in examples]
    return lines if count <= len(examples) else [*lines, f"{word}: and {count - len(examples)} more"]
