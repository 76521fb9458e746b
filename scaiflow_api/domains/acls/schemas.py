"""Request and response bodies of the routes on grants."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from scaiflow_api.web.schemas import AnswerModel, ApiModel

PrincipalId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
# Any other word is answered with 400, not as a malformed body.
PrincipalType = Annotated[
    str, StringConstraints(max_length=64), Field(json_schema_extra={"enum": ["user", "group"]})
]
LevelName = Annotated[
    str,
    StringConstraints(max_length=64),
    Field(json_schema_extra={"enum": ["view", "edit", "deploy", "admin"]}),
]


class AclCreate(ApiModel):
    """A level on the flow for a user or a group. Each level implies those before it."""

    example: ClassVar = {"principal_type": "user", "principal_id": "usr_bob", "level": "edit"}

    principal_type: PrincipalType
    principal_id: PrincipalId
    level: LevelName


class AclUpdate(ApiModel):
    """Another level."""

    example: ClassVar = {"level": "deploy"}

    level: LevelName


class FlowAclOut(AnswerModel):
    """One explicit grant."""

    id: str
    flow_id: str
    principal_type: Literal["user", "group"]
    principal_id: str
    level: Literal["view", "edit", "deploy", "admin"]
    granted_by: str
    """Who set the present level, and when."""
    granted_at: datetime
