"""How looking at runs, and answering them, can fail."""

from collections.abc import Sequence
from typing import Any

from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.failures import UpstreamRejected

_CHOOSE = "'options' tells what may be decided."


class CheckpointNotFound(AppError):
    """There is none, or it belongs to a Core that the caller may not see."""

    status, error = 404, "checkpoint_not_found"
    denies = True
    template = "checkpoint '{checkpoint_id}' not found"


class CheckpointNotPending(AppError):
    """Somebody answered it before, it ran out, or its run was cancelled."""

    status, error = 409, "checkpoint_not_pending"
    template = "checkpoint '{checkpoint_id}' waits for no resolution any more"
    fix = "Read it to see what became of it."


class ResolutionRefused(AppError):
    """ScaiGrid does not take this answer to a checkpoint; `message`, `status` and `code` are its own.

    `options` are those of the checkpoint, empty where it names none.
    """

    status, error = 422, "resolution_refused"
    template = "{message}"

    def __init__(self, refusal: UpstreamRejected, options: Sequence[Any]) -> None:
        hint: dict[str, Any] = {"fix": _CHOOSE} if options else {}
        super().__init__(
            message=refusal.message or "ScaiGrid does not take this resolution.",
            status=refusal.status,
            code=refusal.code,
            options=list(options),
            **hint,
        )


class ExecutionNotFound(AppError):
    """The Core knows of no such run, as far as its latest events and its open checkpoints tell."""

    status, error = 404, "execution_not_found"
    template = "run '{execution_id}' not found in Core '{core_id}'"


class ExecutionNotActive(AppError):
    """It has ended, by itself or because it was ended before."""

    status, error = 409, "execution_not_active"
    template = "run '{execution_id}' has ended already"
    fix = "GET /api/v1/scaicore/events?core_id={core_id} tells how."


class TooManyStreams(AppError):
    """This process follows as many streams of events as it may."""

    status, error = 429, "too_many_streams"
    template = "{limit} streams of events are open already"
    fix = "Close a stream, or ask for events page by page."
    come_again_s = 10
