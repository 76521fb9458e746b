"""`POST /v1/flows/compile` and `POST /v1/flows/validate`: stateless, and inert."""

import asyncio
from base64 import b64encode

from fastapi import APIRouter

from scaiflow_api.compiler import CompileError, compile_flow, validate_flow
from scaiflow_api.domains.preview.schemas import (
    CompileAnswer,
    CompileRequest,
    DiagnosticItem,
    ValidateAnswer,
    ValidateRequest,
)
from scaiflow_api.flowgraph import FlowTooLarge, Limits
from scaiflow_api.kit.metrics import COMPILES, timed
from scaiflow_api.web.deps import ResourcesDep, Viewer
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows", tags=["preview"], route_class=IdempotentRoute)


@router.post("/compile", response_model=CompileAnswer, responses=documented(FlowTooLarge))
async def compile_content(body: CompileRequest, _: Viewer, resources: ResourcesDep) -> CompileAnswer:
    """Compile a document. What is wrong with it comes in `errors`, not as a status."""
    return await asyncio.to_thread(_compile, body, resources.limits)


@router.post("/validate", response_model=ValidateAnswer, responses=documented(FlowTooLarge))
async def validate_content(body: ValidateRequest, _: Viewer, resources: ResourcesDep) -> ValidateAnswer:
    """Check a document as far as it can be checked without compiling it. Warnings do not make it invalid."""
    found = await asyncio.to_thread(validate_flow, body.content, limits=resources.limits)
    return ValidateAnswer(
        valid=not any(item.severity == "error" for item in found),
        diagnostics=[DiagnosticItem.of(item) for item in found],
    )


def _compile(wanted: CompileRequest, limits: Limits) -> CompileAnswer:
    try:
        with timed(COMPILES, format=wanted.format):
            compiled = compile_flow(wanted.content, wanted.format, limits=limits)
    except CompileError as error:
        found = error.diagnostics
        errors = [item.message for item in found if item.severity == "error"]
        body = ""
    else:
        found, errors = compiled.diagnostics, []
        body = b64encode(compiled.body).decode() if isinstance(compiled.body, bytes) else compiled.body
    return CompileAnswer(
        format=wanted.format,
        body=body,
        errors=errors,
        diagnostics=[DiagnosticItem.of(item) for item in found],
    )
