"""Answers that carry a whole flow, built without a model: the content was checked when it was stored."""

from typing import Any

import orjson
from fastapi import Response

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.etag import etag_of
from scaiflow_api.domains.flows.schemas import FlowSummary

_SUMMARY = tuple(FlowSummary.model_fields)


def flow_detail(
    flow: Flow,
    content: bytes,
    *,
    status: int = 200,
    version: str | None = None,
    **beside: Any,
) -> Response:
    """Return a FlowDetail with the flow's ETag; that of an older `version` has none. `content` is JSON already."""
    summary = {field: getattr(flow, field) for field in _SUMMARY}
    headers = {"ETag": etag_of(flow)}
    if version is not None and version != flow.version:
        summary["version"] = version
        headers = {}
    body = orjson.dumps({**summary, "content": orjson.Fragment(content), **beside}, option=orjson.OPT_UTC_Z)
    return Response(body, status, headers=headers, media_type="application/json")
