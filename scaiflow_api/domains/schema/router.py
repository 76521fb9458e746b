"""`/v1/schema`: what a flow document may hold, for editors. A client that has it already is told so (304)."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from scaiflow_api.domains.schema.published import Published, flow_schema, node_kinds
from scaiflow_api.domains.schema.schemas import NodeKindItem
from scaiflow_api.flowgraph.models import SCHEMA_ID
from scaiflow_api.web.deps import Viewer
from scaiflow_api.web.etag import CONDITIONAL, TAGGED, etag_matches

router = APIRouter(prefix="/schema", tags=["schema"])

IfNoneMatch = Annotated[
    str | None, Header(max_length=4096, description="The ETag of the answer that you have.")
]

_SCHEMA_TYPE = "application/schema+json"
_NODE_KIND_EXAMPLE = {
    "kind": "llm_rigid",
    "category": "LLM",
    "colour": "Blue",
    "title": "Rigid Text",
    "description": "What to answer.",
    "config": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
    "inputs": [{"id": "in", "label": "in", "type": "object"}],
    "outputs": [{"id": "out", "label": "result", "type": "object"}],
    "expressions": [],
    "templates": ["template"],
    "yields": True,
}


@router.get(
    "/node-kinds",
    response_model=list[NodeKindItem],
    response_description="the node kinds, in the order of the palette",
    responses={
        **CONDITIONAL,
        200: {"content": {"application/json": {"example": [_NODE_KIND_EXAMPLE]}}, **TAGGED},
    },
)
async def list_node_kinds(_: Viewer, if_none_match: IfNoneMatch = None) -> Response:
    """List every node kind in the order of the palette, with the JSON Schema of its configuration."""
    return _answer(node_kinds(), "application/json", if_none_match)


@router.get(
    "/flow/v2.json",
    response_class=Response,
    responses={
        **CONDITIONAL,
        200: {
            "description": f"JSON Schema, draft 2020-12; its `$id` is `{SCHEMA_ID}`",
            "content": {_SCHEMA_TYPE: {"schema": {"type": "object"}}},
            **TAGGED,
        },
    },
)
async def read_flow_schema(_: Viewer, if_none_match: IfNoneMatch = None) -> Response:
    """Read the JSON Schema of flow documents. What it cannot say, `POST /v1/flows/validate` checks."""
    return _answer(flow_schema(), _SCHEMA_TYPE, if_none_match)


def _answer(published: Published, media_type: str, if_none_match: str | None) -> Response:
    # A newer release may say something else: keep it, but ask whether it still holds.
    headers = {"ETag": published.etag, "Cache-Control": "private, no-cache"}
    if if_none_match is not None and etag_matches(if_none_match, published.etag):
        return Response(status_code=304, headers=headers)
    return Response(published.body, headers=headers, media_type=media_type)
