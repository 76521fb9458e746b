"""Request and response bodies of the routes on flows."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import StringConstraints

from scaiflow_api.domains.preview.schemas import EXAMPLE_FLOW, Content, DiagnosticItem
from scaiflow_api.web.schemas import AnswerModel, ApiModel

LONGEST_NAME = 200
FlowName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00]*$"),
]
Prose = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]


class FlowCreate(ApiModel):
    """A new flow. Without a `name` it takes the content's."""

    example: ClassVar = {"content": EXAMPLE_FLOW, "message": "The first draft"}

    name: FlowName | None = None
    description: Prose = ""
    content: Content
    message: Prose = ""


class FlowUpdate(ApiModel):
    """A change; whatever is left out stays. `content` makes a new version, described by `message`."""

    example: ClassVar = {"name": "Echo", "content": EXAMPLE_FLOW, "message": "Says hello"}

    name: FlowName | None = None
    description: Prose | None = None
    content: Content | None = None
    message: Prose = ""


class FlowSummary(AnswerModel):
    """A flow without its content."""

    id: str
    name: str
    description: str
    owner_id: str
    tenant_id: str
    version: str
    created_at: datetime
    updated_at: datetime


class DeletedFlow(FlowSummary):
    """A deleted flow that can be restored."""

    deleted_at: datetime


class FlowDetail(FlowSummary):
    """A flow with its content."""

    content: dict[str, Any]


class FlowDuplicate(ApiModel):
    """Without a `name` the copy is called as the flow, with ` (copy)` behind it."""

    example: ClassVar = {"name": "Echo, to try"}

    name: FlowName | None = None


class FlowTransfer(ApiModel):
    """Who is to own the flow: a user of its tenant."""

    example: ClassVar = {"owner_id": "usr_bob"}

    owner_id: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]


class FlowImport(ApiModel):
    """A file to make a flow of. Without a `name` the flow takes the one in the file."""

    example: ClassVar = {
        "content": """core:
  name: echo-agent
  mode: stateless
  flows:
    - name: echo-agent
      trigger: {type: api, method: POST, path: /}
      steps:
        - rigid: "You said: {{ message }}"
"""
    }

    content: str
    """The text of the file; of a bundle (`ir`), its bytes in Base64."""
    format: Literal["yaml", "ir", "json"] = "yaml"
    """`yaml` is a manifest, `ir` a SCIR bundle, `json` a flow document."""
    name: FlowName | None = None
    save: bool = False
    """Create the flow, instead of only answering with its content."""


class ImportedContent(AnswerModel):
    """A flow document that was not saved, and what was found while reading it."""

    content: dict[str, Any]
    diagnostics: list[DiagnosticItem]


class ImportedFlow(FlowDetail):
    """The flow that was created, and what was found while reading its file."""

    diagnostics: list[DiagnosticItem]


class FlowPage(AnswerModel):
    """Visible flows in the order that was asked for."""

    items: list[FlowSummary | DeletedFlow]
    total: int
    """How many there are on all pages."""
    next_cursor: str | None
    """Where the next page begins; null on the last."""
