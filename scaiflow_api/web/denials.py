"""Writing refusals to the audit log.

A refusal is written before the caller gets it, in a transaction of its own. Its row is in the chain of the caller's
tenant and names only what the caller itself named, so it does not show whether another tenant has such a thing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import structlog
from cachetools import TTLCache
from starlette.types import Scope

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry, TargetType
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.logging import scrub
from scaiflow_api.resources import Resources
from scaiflow_api.web.context import caller_of

log = structlog.get_logger(__name__)

WINDOW_S = 60
"""Of equal refusals within this time only the first is written."""
_REMEMBERED = 20_000
_TARGETS: Mapping[str, TargetType] = {
    "core_id": "core",
    "package_id": "package",
    "user_id": "user",
    "flow_id": "flow",
}
"""Members of paths and errors that name what was asked for, the most specific first."""
_KEPT_FIELDS = ("needed", "held")
"""Fields of errors that go into the details."""


class Denials:
    """Writes refusals. One per process: it remembers what was written lately, which bounds their number."""

    def __init__(self, resources: Resources) -> None:
        self._audit = resources.audit
        self._per_window = resources.settings.api.audit_denials_per_minute
        self._recent: TTLCache[tuple[str, ...], bool] = TTLCache(_REMEMBERED, WINDOW_S)
        self._written: TTLCache[tuple[str, str], Counter[str]] = TTLCache(_REMEMBERED, WINDOW_S)

    async def note(self, scope: Scope, error: AppError) -> None:
        """Write that a request was refused. A failure to do so is logged, and changes no answer."""
        caller: Caller | None = getattr(error, "caller", None) or caller_of(scope)
        if caller is None:
            return
        try:
            await self._write(caller, _entry(scope, error, caller))
        except Exception:
            log.exception("refusal not written to the audit log", error=error.error)

    async def _write(self, caller: Caller, entry: Entry) -> None:
        left = self._room_for(caller, entry)
        if left == 1:
            entry = replace(entry, details={**entry.details, "unrecorded_s": WINDOW_S})
        if left > 0:
            await self._audit.append(caller, entry)

    def _room_for(self, caller: Caller, entry: Entry) -> int:
        """Return how many rows this caller may still cause, this one included; 0 also for a repeated refusal."""
        who = (caller.tenant_id, caller.subject)
        what = (entry.target_type, entry.target_id, *(str(value) for value in entry.details.values()))
        if (*who, *what) in self._recent:
            return 0
        written = self._written.setdefault(who, Counter())  # changed in place, so that its time runs on
        left = self._per_window - written["rows"]
        if left > 0:
            self._recent[*who, *what] = True
            written["rows"] += 1
        return left


def _entry(scope: Scope, error: AppError, caller: Caller) -> Entry:
    route: str = scope["route"].path
    # The caller chose these texts: a path may hold anything, even a token by mistake.
    named: dict[str, str] = {
        name: scrub(str(value)) for name, value in {**scope["path_params"], **error.fields}.items()
    }
    targets = [(kind, named[name]) for name, kind in _TARGETS.items() if name in named]
    target_type, target_id = targets[0] if targets else ("route", route)
    return Entry(
        tenant_id=caller.tenant_id,
        action="access.denied",
        outcome="denied",
        target_type=target_type,
        target_id=target_id,
        flow_id=named.get("flow_id"),
        details={
            "method": scope["method"],
            "route": route,
            "error": error.error,
            **{name: named[name] for name in _KEPT_FIELDS if name in named},
        },
    )
