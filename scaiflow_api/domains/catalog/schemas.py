"""Request and response bodies of the routes on packages."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from scaiflow_api.compiler.package import MAX_PACKAGE_ID, MAX_README_BYTES, PACKAGE_ID
from scaiflow_api.domains.flows.schemas import FlowName, Prose
from scaiflow_api.domains.preview.schemas import Content
from scaiflow_api.flowgraph.models import SEMVER_PATTERN
from scaiflow_api.web.schemas import AnswerModel, ApiModel

PackageId = Annotated[str, StringConstraints(max_length=MAX_PACKAGE_ID, pattern=f"^{PACKAGE_ID.pattern}$")]
# The column holds 64 characters; raising the patch may take one more.
PackageVersion = Annotated[str, StringConstraints(max_length=60, pattern=SEMVER_PATTERN)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]+$")]
Readme = Annotated[str, StringConstraints(max_length=MAX_README_BYTES, pattern=r"^[^\x00]*$")]
Visibility: TypeAlias = Literal["tenant", "groups"]
GroupIds = Annotated[list[Id], Field(max_length=100)]


class PublishRequest(ApiModel):
    """What to publish: a stored flow (`flow_id`), or a document (`content`).

    `name`, `description`, `visibility` and `visibility_group_ids`, left out, stay what they are; a new package
    takes the flow's name and is shown to the tenant.
    """

    example: ClassVar = {"package_id": "echo-agent", "flow_id": "flow_k3v7q2mzp4xa"}

    package_id: PackageId
    name: FlowName | None = None
    description: Prose | None = None
    version: PackageVersion | None = None
    """If it is published already, the next free patch is. Left out: the patch after the last, at first 0.1.0."""
    readme: Readme | None = None
    """Markdown; of this version alone."""
    flow_id: Id | None = None
    content: Content | None = None
    visibility: Visibility | None = None
    """`groups` shows the package to the members of `visibility_group_ids`, its author and administrators."""
    visibility_group_ids: GroupIds | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.flow_id is None) == (self.content is None):
            raise ValueError("send either 'flow_id' or 'content'")
        return self


class PackageUpdate(ApiModel):
    """A change; whatever is left out stays."""

    example: ClassVar = {"visibility": "groups", "visibility_group_ids": ["grp_eng"]}

    name: FlowName | None = None
    description: Prose | None = None
    visibility: Visibility | None = None
    visibility_group_ids: GroupIds | None = None


class InstallRequest(ApiModel):
    """Which version to install, and whether to keep it."""

    example: ClassVar = {"save": True}

    version: str | None = None
    """Default: the one published last."""
    save: bool = False
    """Create the flow, instead of only answering with its content."""


class CatalogItem(AnswerModel):
    """A package. `version` is the one published last."""

    package_id: str
    tenant_id: str
    name: str
    description: str
    version: str
    author_id: str
    author_email: str | None
    visibility: Visibility
    visibility_group_ids: list[str]
    created_at: datetime
    updated_at: datetime


class CatalogVersionItem(AnswerModel):
    """One published version: who published it, and the digest and size in bytes of its file."""

    version: str
    is_latest: bool
    author_id: str
    sha256: str
    size: int
    created_at: datetime


class CatalogDetail(CatalogItem):
    """A package with the README of its last version, and its versions, newest first."""

    readme: str | None
    versions: list[CatalogVersionItem]


class InstalledContent(AnswerModel):
    """A flow document with an id of its own, not saved."""

    content: dict[str, Any]
