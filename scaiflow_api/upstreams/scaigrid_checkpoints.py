"""The checkpoints of ScaiGrid's ScaiCore module: what runs wait for, answering it, and ending runs early."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from pydantic import SecretStr

from scaiflow_api.auth.caller import MANAGE, VIEW
from scaiflow_api.upstreams.answers import Answer
from scaiflow_api.upstreams.calls import segment
from scaiflow_api.upstreams.failures import UpstreamNonsense
from scaiflow_api.upstreams.grid_client import GridClient
from scaiflow_api.upstreams.grid_envelopes import id_of, read_data, read_list, text

RESOLVE: Final = "scaicore:checkpoint_resolve"
PENDING: Final = "pending"
DEBUG_BREAKPOINT: Final = "debug_breakpoint"
Resolution: TypeAlias = str | Mapping[str, Any]
"""A text stands for `{decision: <text>}`; ScaiGrid turns one into the other."""
_CHECKPOINTS = "/v1/modules/scaicore/checkpoints"
_EXECUTIONS = "/v1/modules/scaicore/executions"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place where a run waits, or waited. What ScaiGrid did not say is None; `row` is all that it said."""

    id: str
    core_id: str | None
    execution_id: str | None
    type: str | None
    """`approval`, `hitl_review`, `debug_breakpoint` or another word of the flow's."""
    status: str | None
    """`pending`, `resolved`, `expired` or `cancelled`."""
    node_id: str | None
    """The node of the flow that it stands for."""
    row: Mapping[str, Any] = field(repr=False)

    @property
    def options(self) -> list[Any]:
        """What may be decided: its options, or those of its form's first decision; empty where it names none."""
        context = self.row.get("context")
        sections = context.get("sections") if isinstance(context, Mapping) else None
        decisions = (
            section
            for section in (sections if isinstance(sections, list) else ())
            if isinstance(section, Mapping) and section.get("type") == "decision"
        )
        found = self.row.get("options") or next(decisions, {}).get("options")
        options = found if isinstance(found, list) else []
        return [option.get("id") if isinstance(option, Mapping) else option for option in options]


@dataclass(frozen=True, slots=True)
class CheckpointPage:
    checkpoints: list[Checkpoint]
    next_cursor: str | None


class ScaiGridCheckpoints(GridClient):
    """The checkpoint calls of the ScaiCore module. One that is not pending is an UpstreamRejected with 409."""

    system = "scaigrid"

    async def page(
        self,
        credential: SecretStr,
        *,
        core_id: str | None = None,
        status: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> CheckpointPage:
        """Return a page of checkpoints, in ScaiGrid's order; rows without a usable id are left out."""
        asked = {"core_id": core_id, "status": status, "limit": limit, "cursor": cursor}
        params = {name: given for name, given in asked.items() if given is not None}
        rows, following = read_list(await self._get(_CHECKPOINTS, credential, params, needs=VIEW))
        return CheckpointPage(_checkpoints(rows), following)

    async def pending(self, credential: SecretStr, core_id: str) -> list[Checkpoint]:
        """Return every checkpoint of a Core that waits for its resolution."""
        only: dict[str, str | int] = {"core_id": core_id, "status": PENDING}
        return _checkpoints(await self._list(_CHECKPOINTS, credential, only, needs=VIEW))

    async def get(self, credential: SecretStr, checkpoint_id: str) -> Checkpoint:
        return _read(await self._get(_checkpoint(checkpoint_id), credential, needs=VIEW))

    async def resolve(
        self,
        credential: SecretStr,
        checkpoint_id: str,
        resolution: Resolution,
        *,
        comment: str | None = None,
    ) -> Checkpoint:
        """Answer a checkpoint, so that its run goes on. Never repeated once it was sent."""
        body = {"resolution": resolution, **({"comment": comment} if comment is not None else {})}
        path = f"{_checkpoint(checkpoint_id)}/resolve"
        return _read(await self._post(path, credential, body, needs=RESOLVE))

    async def cancel(self, credential: SecretStr, checkpoint_id: str) -> None:
        """End a checkpoint without an answer."""
        await self._order("POST", f"{_checkpoint(checkpoint_id)}/cancel", credential, needs=RESOLVE)

    async def cancel_execution(self, credential: SecretStr, execution_id: str) -> None:
        """End a run, and what it waits for."""
        await self._order("POST", f"{_EXECUTIONS}/{segment(execution_id)}/cancel", credential, needs=MANAGE)


def checkpoint_of(row: Mapping[str, Any]) -> Checkpoint | None:
    """Read a checkpoint from its row; None for a row without a usable id."""
    checkpoint_id = id_of(row, "id", "checkpoint_id")
    if checkpoint_id is None:
        return None
    context = row.get("context")
    return Checkpoint(
        id=checkpoint_id,
        core_id=id_of(row, "core_id"),
        execution_id=id_of(row, "execution_id"),
        type=text(row.get("checkpoint_type")),
        status=text(row.get("status")),
        node_id=text(context.get("node_id")) if isinstance(context, Mapping) else None,
        row=row,
    )


def _checkpoints(rows: list[Mapping[str, Any]]) -> list[Checkpoint]:
    return [checkpoint for row in rows if (checkpoint := checkpoint_of(row)) is not None]


def _read(answer: Answer) -> Checkpoint:
    checkpoint = checkpoint_of(read_data(answer))
    if checkpoint is None:
        raise UpstreamNonsense(answer.system, status=answer.status)
    return checkpoint


def _checkpoint(checkpoint_id: str) -> str:
    return f"{_CHECKPOINTS}/{segment(checkpoint_id)}"
