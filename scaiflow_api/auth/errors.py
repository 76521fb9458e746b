"""Refusals of a caller."""

from typing import Any

from scaiflow_api.auth.caller import Caller
from scaiflow_api.kit.errors import AppError


class NotAuthenticated(AppError):
    status, error = 401, "not_authenticated"
    template = "This needs a bearer token."
    fix = "Send 'Authorization: Bearer <access token>'; GET /api/v1/auth/config says where to sign in."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvalidToken(AppError):
    status, error = 401, "invalid_token"
    template = "invalid token: {reason}"
    fix = "Sign in again, or refresh the access token at POST /api/v1/auth/refresh."

    def __init__(self, reason: str) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}, reason=reason)


class AccountNotActive(AppError):
    status, error = 401, "account_not_active"
    template = "This account is {standing}."
    fix = "Ask an administrator of your tenant."
    denies = True

    def __init__(self, *, standing: str, caller: Caller) -> None:
        super().__init__(standing=standing)
        self.caller = caller
        """Who was refused."""


class PermissionDenied(AppError):
    status, error = 403, "permission_denied"
    template = "This needs the permission '{needed}'."
    fix = "Ask an administrator of your tenant for '{needed}' in ScaiGrid."
    denies = True

    def __init__(self, *, needed: str, **fields: Any) -> None:
        super().__init__(needed=needed, **fields)


class InsufficientRole(AppError):
    status, error = 403, "insufficient_role"
    template = "This needs the role '{needed}'."
    fix = "Ask somebody who holds '{needed}'."
    denies = True

    def __init__(self, *, needed: str) -> None:
        super().__init__(needed=needed)
