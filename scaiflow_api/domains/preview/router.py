"""`POST /v1/flows/compile` and `POST /v1/flows/validate`: stateless, and inert."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from scaiflow_api.compiler import CompileError, compile_flow, validate_flow
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.web.deps import ResourcesDep, Viewer
from scaiflow_api.web.errors import documented
from scaiflow_api.web.schemas import AnswerModel, ApiModel

router = APIRouter(prefix="/flows", tags=["preview"])

Content = Annotated[dict[str, Any], Field(description="A flow document (v2).")]


class CompileRequest(ApiModel):
    content: Content
    format: Literal["yaml"] = "yaml"


class ValidateRequest(ApiModel):
    content: Content


class DiagnosticItem(AnswerModel):
    """A finding of the compiler; `path` points into the document."""

    severity: Literal["error", "warning"]
    code: str
    message: str
    path: str | None = None
    node_id: str | None
    edge_id: str | None
    fix: str | None = None


class CompileAnswer(AnswerModel):
    """`body` is the manifest; it is empty when there are `errors`."""

    format: str
    body: str
    errors: list[str]
    diagnostics: list[DiagnosticItem]


class ValidateAnswer(AnswerModel):
    valid: bool
    diagnostics: list[DiagnosticItem]


@router.post("/compile", response_model=CompileAnswer, responses=documented(FlowTooLarge))
async def compile_content(body: CompileRequest, _: Viewer, resources: ResourcesDep) -> CompileAnswer:
    """Compile a document. What is wrong with it comes in `errors`, not as a status."""
    try:
        compiled = await asyncio.to_thread(compile_flow, body.content, body.format, limits=resources.limits)
    except CompileError as error:
        found = [item.as_dict() for item in error.diagnostics]
        errors = [item["message"] for item in found if item["severity"] == "error"]
        return CompileAnswer(format=body.format, body="", errors=errors, diagnostics=_items(found))
    found = [item.as_dict() for item in compiled.diagnostics]
    return CompileAnswer(format=body.format, body=compiled.body, errors=[], diagnostics=_items(found))


@router.post("/validate", response_model=ValidateAnswer, responses=documented(FlowTooLarge))
async def validate_content(body: ValidateRequest, _: Viewer, resources: ResourcesDep) -> ValidateAnswer:
    """Check a document as far as it can be checked without compiling it. Warnings do not make it invalid."""
    diagnostics = await asyncio.to_thread(validate_flow, body.content, limits=resources.limits)
    found = [item.as_dict() for item in diagnostics]
    return ValidateAnswer(valid=not any(f["severity"] == "error" for f in found), diagnostics=_items(found))


def _items(found: list[dict[str, Any]]) -> list[DiagnosticItem]:
    return [DiagnosticItem.model_validate(item) for item in found]
