"""Compiling and validating over the wire."""

from typing import Annotated, Any, Literal

from pydantic import Field

from scaiflow_api.compiler import Diagnostic
from scaiflow_api.web.schemas import AnswerModel, ApiModel

Content = Annotated[dict[str, Any], Field(description="A flow document (v2).")]


class CompileRequest(ApiModel):
    """What to compile, and into what."""

    content: Content
    format: Literal["yaml", "ir", "scai"] = "yaml"
    """`yaml` is the manifest that ScaiGrid takes, `ir` a SCIR bundle, `scai` a text to read."""


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

    @classmethod
    def of(cls, found: Diagnostic) -> "DiagnosticItem":
        return cls.model_validate(found)


class CompileAnswer(AnswerModel):
    """`body` is the artefact, that of `ir` in Base64; it is empty when there are `errors`."""

    format: str
    body: str
    errors: list[str]
    diagnostics: list[DiagnosticItem]


class ValidateAnswer(AnswerModel):
    valid: bool
    diagnostics: list[DiagnosticItem]
