"""Answers that are built without a model: their parts come from our own tables, and were checked when stored."""

from collections.abc import Iterable, Mapping
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


def flow_page(
    flows: Iterable[Mapping[str, Any]], total: int, next_cursor: str | None, *, deleted: bool
) -> Response:
    """Return a FlowPage of flows that have the fields of a DeletedFlow."""
    shown = (*_SUMMARY, "deleted_at") if deleted else _SUMMARY
    items = [{field: flow[field] for field in shown} for flow in flows]
    page = {"items": items, "total": total, "next_cursor": next_cursor}
    return Response(
        orjson.dumps(page, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC), media_type="application/json"
    )
