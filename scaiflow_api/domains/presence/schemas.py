"""Presence over the wire."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from scaiflow_api.web.schemas import AnswerModel, ApiModel


class Heartbeat(ApiModel):
    """How the canvas introduces its user to the others."""

    example: ClassVar = {"display_name": "Alice", "color": "#a4ff32"}

    display_name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"
        ),
    ]
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class PeerItem(AnswerModel):
    """Somebody who has the flow open."""

    user_id: str
    display_name: str
    color: str
    last_seen_ago_s: int
    """Whole seconds since the last heartbeat: 0 to 29."""


class Peers(AnswerModel):
    """Everybody else who has the flow open, by name."""

    peers: list[PeerItem]
