"""Errors about flows."""

from typing import Final

from scaiflow_api.kit.errors import AppError
from scaiflow_api.storage import StoredVersionMissing, StoreUnavailable

DOCUMENT_FAILURES: Final = (StoreUnavailable, StoredVersionMissing)
"""What may keep a version's document from being read, for the documentation of routes."""


class FlowNotFound(AppError):
    """There is no such flow, or the caller may not see it: the two look alike."""

    status, error = 404, "flow_not_found"
    template = "There is no flow '{flow_id}'."
    denies = True


class VersionNotFound(AppError):
    status, error = 404, "version_not_found"
    template = "The flow '{flow_id}' has no version '{version}'."
    fix = "GET /api/v1/flows/{flow_id}/versions lists its versions."


class InsufficientAcl(AppError):
    status, error = 403, "insufficient_acl"
    template = "This needs '{needed}' access to the flow; you hold '{held}'."
    fix = "Ask the flow's owner, or an administrator of your tenant, for '{needed}' access."
    denies = True


class ForeignTenant(AppError):
    status, error = 403, "foreign_tenant"
    template = "The flow belongs to another tenant; it can be read from here, but not run."
    denies = True


class VersionConflict(AppError):
    status, error = 412, "version_conflict"
    template = "The flow has changed: its version is now {current_version}."
    fix = "GET the flow, apply your change to what you get, and send its ETag as If-Match."


class PreconditionRequired(AppError):
    """This server was told (`SCAIFLOW_REQUIRE_IF_MATCH`) to change flows only from a state that the caller names."""

    status, error = 428, "precondition_required"
    template = "Changing a flow needs the header If-Match here."
    fix = "GET the flow and send its ETag as If-Match; '*' stands for any state."


class FlowNotDeleted(AppError):
    status, error = 409, "flow_not_deleted"
    template = "The flow '{flow_id}' is not deleted."
    fix = "POST /api/v1/flows/{flow_id}/versions/<version>/restore brings an older version back."


class OwnerNotFound(AppError):
    """The new owner is unknown in the flow's tenant, or the account is not active."""

    status, error = 404, "owner_not_found"
    template = "There is no active user '{owner_id}' in the flow's tenant."
    fix = "Name the id of a user who has signed in or was synchronised from ScaiKey, for example 'usr_alice'."


class InvalidFlow(AppError):
    status, error = 422, "invalid_flow"
    template = "The content is no flow document."
    fix = "Each entry of 'diagnostics' names a place and what is wrong there."


class InvalidManifest(AppError):
    """The message says what is wrong, and where."""

    status, error = 422, "invalid_manifest"
    template = "{message}"


class DoesNotCompile(AppError):
    """Nothing can be made of the flow as it is; `diagnostics` names all that was found."""

    status, error = 400, "compile_error"
    template = "The flow does not compile."
    fix = "Each entry of 'diagnostics' names a place and what is wrong there."


class InvalidCursor(AppError):
    status, error = 400, "invalid_cursor"
    template = "The cursor is not one of ours, or belongs to another order."
    fix = (
        "Send 'next_cursor' of the page before, unchanged, with the same 'sort' and 'order'; "
        "leave it out for the first page."
    )


class SaveContention(AppError):
    status, error = 503, "save_contention"
    template = "Too many saves of this flow at the same moment."
    fix = "Try again in a second."
    come_again_s = 1
