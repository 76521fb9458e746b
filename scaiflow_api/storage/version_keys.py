"""Keys of what is stored once per version: `<kind>/<tenant>/<id>/v<version><ending>`."""

import re
from functools import cached_property

from scaiflow_api.storage.keys import escape, segment, unescape


class VersionKeys:
    """The keys of one kind of thing, each of which has a tenant, an id and versions."""

    def __init__(self, kind: str, ending: str) -> None:
        self._kind = kind
        self._ending = ending

    def of(self, tenant_id: str, id_: str, version: str) -> str:
        return f"{self.before(tenant_id, id_)}{escape(version)}{self._ending}"

    def before(self, tenant_id: str, id_: str) -> str:
        """Return what all versions of one thing begin with."""
        return f"{self._kind}/{segment(tenant_id)}/{segment(id_)}/v"

    def place_of(self, key: str) -> tuple[str, str, str] | None:
        """Return tenant, id and version of a key that `of` made; None for any other."""
        found = self._form.fullmatch(key)
        if found is None:
            return None
        place = unescape(found[1]), unescape(found[2]), unescape(found[3])
        return place if self.of(*place) == key else None

    @cached_property
    def _form(self) -> re.Pattern[str]:
        return re.compile(rf"{self._kind}/([^/]+)/([^/]+)/v([^/]+){re.escape(self._ending)}")
