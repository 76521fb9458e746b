"""The sync: reads all of ScaiKey's directory, checks that it is plausible, and brings the mirror up to date."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog

from scaiflow_api.db.leases import Leases, LeaseTaken
from scaiflow_api.db.models.directory import DirectoryState
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.domains.directory.kinds import GROUPS, KINDS, MEMBERSHIPS, USERS, Kind
from scaiflow_api.domains.directory.mirror import Mirror
from scaiflow_api.domains.directory.report import SyncReport
from scaiflow_api.domains.directory.roles import GroupRoles
from scaiflow_api.domains.directory.spool import Size, Spool, open_spool
from scaiflow_api.resources import Resources
from scaiflow_api.upstreams.errors import ScaiKeyNotConfigured, ScaiKeyRefused
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaikey_rows import DirectoryGroup

log = structlog.get_logger(__name__)

_LEASE = "directory sync"
_LEASE_S = 60.0
_WALKED_AT_ONCE = 8
_LARGEST_SHRINK = 0.2
NO_SUPER_ADMIN = "ScaiKey sync OK but no super_admin elected. Two ways to bootstrap:"
_WAYS = (
    "on the host: scaiflow admin grant <email> --role super_admin",
    "or set SCAIFLOW_SUPER_ADMIN_GROUPS to ids or names of groups, restart, and sync",
)


class Skipped(Exception):
    """A sync that changes nothing, and why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class DirectorySync:
    """Syncs the mirror. Among all processes one sync runs at a time."""

    def __init__(self, resources: Resources) -> None:
        self._scaikey = resources.directory
        self._clock = resources.clock
        self._db = resources.db
        self._mirror = Mirror(resources.db)
        self._roles = GroupRoles(resources.db, resources.settings.directory)
        self._leases = Leases(resources.db)

    async def run(self, *, force: bool = False, wait_s: float = 0.0) -> SyncReport:
        """Sync now; `force` also lets the mirror shrink by more than a fifth. Waits `wait_s` for a running one.

        What ScaiKey does not allow, or what cannot be true, is a report with `skipped_reason`. Raises UpstreamError
        when ScaiKey does not work.
        """
        report, started = SyncReport(), time.monotonic()
        try:
            async with (
                self._leases.hold(_LEASE, ttl_s=_LEASE_S, wait_s=wait_s) as lease,
                open_spool() as spool,
            ):
                await self._sync(spool, report, lease, force=force)
        except LeaseTaken:
            _skip(report, "already_running", "Another sync is running.")
        except ScaiKeyNotConfigured as missing:
            _skip(report, "credentials_missing", f"{missing}: {missing.fix}")
        except ScaiKeyRefused as refusal:
            _skip(report, "credentials_refused", f"{refusal}. Is SCAIFLOW_SCAIKEY_CLIENT_SECRET right?")
        except Skipped as skipped:
            _skip(report, skipped.reason, str(skipped))
        report.duration_seconds = round(time.monotonic() - started, 3)
        return report

    async def _sync(self, spool: Spool, report: SyncReport, lease: HeldLease, *, force: bool) -> None:
        started_at = self._clock.now()
        # The mirror first: rows that a webhook changes after this differ from what we read, and are left alone.
        for kind in KINDS:
            async for rows in self._mirror.rows(kind):
                await spool.hold(kind, rows)
        everybody = await self._read_users(spool)
        groups_told = await self._read_groups(spool, users_too=not everybody)
        if not everybody and not groups_told:
            raise Skipped(
                "access_denied",
                "ScaiKey allows neither effective users (scope admin:read) nor groups (scope groups:read).",
            )
        report.users_method = "effective_users" if everybody else "member_walk"
        # A walk does not see people without a group, so it cannot tell that somebody is gone.
        complete = {USERS: everybody, GROUPS: groups_told, MEMBERSHIPS: groups_told}
        for kind in KINDS:
            size = await spool.size(kind)
            setattr(report, f"{kind.name}_seen", size.seen)
            if complete[kind] and not force:
                _judge(kind, size)
        for kind in KINDS:
            _count(
                report, kind, await self._apply(spool, kind, lease, absences=complete[kind], now=started_at)
            )
        if groups_told:
            await self._mirror.nest(await spool.nestings())
        await self._finish(report, started_at, [kind for kind in (USERS, GROUPS) if complete[kind]])

    async def _read_users(self, spool: Spool) -> bool:
        """Read everybody who may use the application; False when ScaiKey does not allow that."""
        try:
            async for tenants in self._scaikey.tenants():
                for tenant_id in tenants:
                    async for users in self._scaikey.effective_users(tenant_id):
                        await spool.see_users(users)
        except UpstreamRejected as refusal:
            if refusal.status != 403:
                raise
            log.info("effective users not allowed, walking through groups", needs="admin:read")
            return False
        return True

    async def _read_groups(self, spool: Spool, *, users_too: bool) -> bool:
        """Read all groups and who is in them; False when ScaiKey does not allow that, or one has gone."""
        try:
            async for groups in self._scaikey.groups():
                await spool.see_groups(groups)
            async for groups in spool.groups():
                for start in range(0, len(groups), _WALKED_AT_ONCE):
                    await self._read_members(
                        spool, groups[start : start + _WALKED_AT_ONCE], users_too=users_too
                    )
        except UpstreamRejected as refusal:
            # A group may go while the others are read; and where members are listed is not public.
            if refusal.status not in {403, 404}:
                raise
            log.warning(
                "groups not read: the mirror keeps those that it has",
                status=refusal.status,
                needs="groups:read",
            )
            return False
        await spool.flatten()
        return True

    async def _read_members(self, spool: Spool, groups: Sequence[DirectoryGroup], *, users_too: bool) -> None:
        async def read(group: DirectoryGroup) -> None:
            async for members in self._scaikey.members(group):
                await spool.see_members(members)
                if users_too:
                    await spool.see_users([member.user for member in members if member.user])

        try:
            async with asyncio.TaskGroup() as walking:
                for group in groups:
                    walking.create_task(read(group))
        except ExceptionGroup as failures:
            # The caller wants to know what went wrong, not how many times.
            raise failures.exceptions[0] from None

    async def _apply(
        self, spool: Spool, kind: Kind, lease: HeldLease, *, absences: bool, now: datetime
    ) -> Counter[str]:
        done: Counter[str] = Counter()
        async for changes in spool.differences(kind, absences=absences):
            if lease.lost:
                raise Skipped(
                    "lease_lost", "The database was away for too long; another sync may be running."
                )
            done += await self._mirror.apply(kind, changes, now)
        return done

    async def _finish(self, report: SyncReport, started_at: datetime, complete: Sequence[Kind]) -> None:
        await self._roles.ensure_turn()
        async with self._db.write() as session:
            await self._roles.take_turn(session)
            for kind in complete:
                await session.merge(DirectoryState(name=kind.name, taken_at=started_at))
            changed = await self._roles.reconcile(session, self._clock.now())
        changed = await self._roles.settle(changed, self._clock.now())
        report.super_admins_group_promoted = changed.promoted
        report.super_admins_group_demoted = changed.demoted
        report.super_admin_count = await self._roles.count()
        if not report.super_admin_count:
            log.warning(NO_SUPER_ADMIN, ways=_WAYS)


def _judge(kind: Kind, size: Size) -> None:
    """Raise Skipped when too much is missing at once. One row may always go: of three it is a third."""
    if size.newly_missed > max(1, _LARGEST_SHRINK * size.held):
        raise Skipped(
            "shrink_over_limit",
            f"{size.newly_missed} of {size.held} {kind.name} are missing from ScaiKey's answer, more than a fifth."
            " Nothing was changed. If that is right, sync once with 'force=true'.",
        )


def _count(report: SyncReport, kind: Kind, done: Counter[str]) -> None:
    for verb, name in (("add", "added"), ("undelete", "undeleted"), ("delete", "soft_deleted")):
        name = f"{kind.name}_{name}"
        if hasattr(report, name):
            setattr(report, name, done[verb])
    if kind is MEMBERSHIPS:  # the documented counters have no word for one that is back
        report.memberships_added += done["undelete"]
    report.missed_once += done["miss"]


def _skip(report: SyncReport, reason: str, detail: str) -> None:
    report.skipped_reason, report.skipped_detail = reason, detail
    log.warning("directory sync skipped", reason=reason, detail=detail)
