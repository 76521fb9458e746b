"""What can be wrong with asking for a draft."""

from scaiflow_api.kit.errors import AppError


class DraftNotFound(AppError):
    status, error = 404, "draft_not_found"
    template = "The flow '{flow_id}' has no draft."
    fix = "A draft begins when somebody opens the flow at /api/v1/flows/{flow_id}/sync; until then use 'current'."


class DraftTooLarge(AppError):
    """It can be saved and deployed, but would take too much memory in all who have it open."""

    status, error = 413, "draft_too_large"
    template = (
        "The flow is too large to be edited together: its limit of {limit} is {maximum}, and it has {actual}."
    )
    fix = "Split the flow into several, or change it without a draft, by PUT /api/v1/flows/<flow id>."


class DraftUnreadable(AppError):
    """Somebody wrote into it what ends the process that reads it."""

    status, error = 409, "draft_unreadable"
    template = "The draft of this flow cannot be read."
    fix = "POST /api/v1/flows/<flow id>/draft/discard begins it anew with the current version."


class DraftContention(AppError):
    """Others wrote it anew, or saved versions, each time that we had read it."""

    status, error = 503, "draft_contention"
    template = "Too much happens to the draft of this flow at the same moment."
    fix = "Try again in a second."
