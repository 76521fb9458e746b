"""Errors about grants."""

from scaiflow_api.auth.acl import Level
from scaiflow_api.kit.errors import AppError

PRINCIPAL_TYPES = ("user", "group")


class InvalidLevel(AppError):
    status, error = 400, "invalid_level"
    template = "There is no access level '{level}'."
    fix = f"Send one of: {', '.join(level.label for level in Level)}."


class InvalidPrincipalType(AppError):
    status, error = 400, "invalid_principal_type"
    template = "Access cannot be granted to a '{principal_type}'."
    fix = f"Send one of: {', '.join(PRINCIPAL_TYPES)}."


class PrincipalNotFound(AppError):
    """The mirror of ScaiKey has no such user or group in the flow's tenant."""

    status, error = 404, "principal_not_found"
    template = "The flow's tenant has no {principal_type} '{principal_id}'."
    fix = "Users and groups of ScaiKey are known here after the next sync, a user also after signing in once."


class AclNotFound(AppError):
    status, error = 404, "acl_not_found"
    template = "The flow has no grant '{acl_id}'."
    fix = "GET /api/v1/flows/{flow_id}/acls lists its grants."


class AclExists(AppError):
    status, error = 409, "acl_exists"
    template = "The {principal_type} '{principal_id}' already holds '{level}' by the grant '{acl_id}'."
    fix = "PATCH /api/v1/flows/{flow_id}/acls/{acl_id} changes its level."


class OwnerHoldsAdmin(AppError):
    """The owner's access is implicit; it can be neither granted nor revoked."""

    status, error = 409, "owner_holds_admin"
    template = "'{principal_id}' owns the flow and holds 'admin' already."


class LastWayIn(AppError):
    """Without this grant no active account of the tenant could manage the flow."""

    status, error = 409, "last_way_in"
    template = "Nobody else of the tenant could manage the flow: its owner's account is not active."
    fix = "Grant 'admin' to somebody else first."
