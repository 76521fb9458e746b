"""Finds the saved flow that a local flow file belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.cli.api import ApiRefused, ScaiFlowApi
from scaiflow_api.cli.failure import Unusable
from scaiflow_api.flowgraph.models import ID_PATTERN
from scaiflow_api.kit.canonical_json import canonical_json

_PAGE = 500
_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Saved:
    """A flow as the API has it."""

    id: str
    name: str
    version: str
    content: Mapping[str, Any]
    etag: str

    def is_what(self, document: Mapping[str, Any]) -> bool:
        """Tell whether saving would change nothing but the version; the API writes id, name and version itself."""
        written = {"id": self.id, "name": self.name, "version": self.version}
        try:
            return canonical_json({**document, **written}) == canonical_json({**self.content, **written})
        except ValueError:
            return False  # the API says what is wrong with it


def find_saved(api: ScaiFlowApi, document: Mapping[str, Any], flow_id: str | None) -> Saved | None:
    """Return the flow that a file is saved as: the one named, that of its id, or the caller's only one of its name.

    None: there is none. Raises Unusable where that is not clear, ApiRefused.
    """
    if flow_id is not None:
        if not _ID.fullmatch(flow_id):
            raise Unusable(f"'{flow_id}' is no id of a flow")
        return _read(api, flow_id)
    own_id, name = document.get("id"), document.get("name")
    if isinstance(own_id, str) and _ID.fullmatch(own_id):
        try:
            return _read(api, own_id)
        except ApiRefused as refusal:
            if refusal.status != 404:
                raise
    if not isinstance(name, str) or not name.strip():
        return None
    page, _ = api.call("GET", "/flows", params={"owner": "me", "search": name, "limit": _PAGE})
    named = [str(item["id"]) for item in page["items"] if item["name"] == name]
    if len(named) > 1:
        raise Unusable(
            f"several flows of yours are called '{name}': choose with --flow-id {' or '.join(named)}"
        )
    return _read(api, named[0]) if named else None


def _read(api: ScaiFlowApi, flow_id: str) -> Saved:
    found, headers = api.call("GET", f"/flows/{flow_id}")
    return Saved(found["id"], found["name"], found["version"], found["content"], headers.get("ETag", "*"))
