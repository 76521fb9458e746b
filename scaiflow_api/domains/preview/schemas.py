"""Compiling and validating over the wire."""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from scaiflow_api.compiler import Diagnostic
from scaiflow_api.web.schemas import AnswerModel, ApiModel

EXAMPLE_FLOW: Final[dict[str, Any]] = {
    "id": "flow_echo",
    "name": "Echo Agent",
    "version": "1.0.0",
    "nodes": [
        {
            "id": "node_entry",
            "type": "entry_api",
            "label": "Asked",
            "position": {"x": 100, "y": 200},
            "config": {"path": "/"},
        },
        {
            "id": "node_echo",
            "type": "llm_rigid",
            "label": "Says it again",
            "position": {"x": 400, "y": 200},
            "config": {"template": "You said: {{ message }}"},
        },
    ],
    "edges": [
        {
            "id": "edge_1",
            "type": "sequential",
            "source": {"node": "node_entry", "port": "out_request"},
            "target": {"node": "node_echo", "port": "in"},
        },
    ],
}
"""The smallest flow that says something."""

Content = Annotated[dict[str, Any], Field(description="A flow document (v2).")]


class CompileRequest(ApiModel):
    """What to compile, and into what."""

    example: ClassVar = {"content": EXAMPLE_FLOW}

    content: Content
    format: Literal["yaml", "ir", "scai"] = "yaml"
    """`yaml` is the manifest that ScaiGrid takes, `ir` a SCIR bundle, `scai` a text to read."""


class ValidateRequest(ApiModel):
    """What to check."""

    example: ClassVar = {"content": EXAMPLE_FLOW}

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
    """`valid`: there are no errors among the findings."""

    valid: bool
    diagnostics: list[DiagnosticItem]
