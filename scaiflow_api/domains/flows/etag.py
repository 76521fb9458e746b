"""ETags of flows: the version and the revision of the row, so that a rename changes it too."""

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.errors import VersionConflict
from scaiflow_api.web.etag import etag_matches


def etag_of(flow: Flow) -> str:
    """Return for example `"1.0.3.r7"`, quotes included."""
    return f'"{flow.version}.r{flow.revision}"'


def matches(header: str, flow: Flow) -> bool:
    """Tell whether an `If-Match` or `If-None-Match` header names the flow as it is."""
    return etag_matches(header, etag_of(flow))


def require_match(flow: Flow, if_match: str | None) -> None:
    """Raise VersionConflict unless the header, where there is one, names the flow as it is."""
    if if_match is not None and not matches(if_match, flow):
        raise VersionConflict(current_version=flow.version)
