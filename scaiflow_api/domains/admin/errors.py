"""Errors of the routes for administrators."""

from scaiflow_api.kit.errors import AppError


class UserNotFound(AppError):
    """No such user, or one of a tenant that the caller does not administer."""

    status, error = 404, "user_not_found"
    template = "There is no user '{user_id}'."
    fix = "Users of ScaiKey are known here after the next sync, or after signing in once."
    denies = True


class AmbiguousUser(AppError):
    """Ids are unique within a tenant only."""

    status, error = 409, "ambiguous_user"
    template = "Several tenants have a user '{user_id}'."
    fix = "Name one of 'tenant_ids' as '?tenant_id='."


class HigherRole(AppError):
    status, error = 403, "higher_role"
    template = "'{user_id}' holds the role '{held}', which is higher than yours."
    fix = "Ask somebody who holds '{held}'."
    denies = True


class RoleFromGroup(AppError):
    """There is nothing to revoke: the role was not granted here."""

    status, error = 409, "role_from_group"
    template = "'{user_id}' holds the role '{held}' as a member of a group."
    fix = "Take the user out of that group in ScaiKey."


class LastSuperAdmin(AppError):
    """Without one nobody could ever appoint another."""

    status, error = 409, "last_super_admin"
    template = "'{user_id}' is the last active super_admin."
    fix = "Grant 'super_admin' to somebody else first."
