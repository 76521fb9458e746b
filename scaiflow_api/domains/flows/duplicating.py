"""A new flow from an existing one."""

from typing import Any

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.schemas import LONGEST_NAME, FlowCreate

_SUFFIX = " (copy)"


def duplicate_of(flow: Flow, document: dict[str, Any], name: str | None) -> FlowCreate:
    """Return what to create: the content as it is, its versions beginning anew at 1.0.0."""
    content = {key: value for key, value in document.items() if key != "version"}
    return FlowCreate(
        name=name or flow.name[: LONGEST_NAME - len(_SUFFIX)].rstrip() + _SUFFIX,
        description=flow.description,
        content=content,
        message=f"Copy of '{flow.name}', version {flow.version}",
    )
