"""What our callers are told about an upstream's failure."""

import pytest

from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import (
    UpstreamBusy,
    UpstreamError,
    UpstreamNonsense,
    UpstreamRejected,
    UpstreamTimedOut,
    UpstreamUnavailable,
)


def rejected(
    status: int, message: str | None, needs: str | None = None, code: str | None = None
) -> UpstreamRejected:
    return UpstreamRejected("scaigrid", status=status, code=code, message=message, needs=needs)


@pytest.mark.parametrize(
    ("failure", "status", "detail"),
    [
        (
            rejected(
                403, "permission_denied: need scaicore:manage", "scaicore:view", "AUTHZ_PERMISSION_DENIED"
            ),
            502,
            {
                "error": "scaigrid_auth",
                "message": "permission_denied: need scaicore:manage",
                "status": 403,
                "code": "AUTHZ_PERMISSION_DENIED",
                "fix": "Caller needs the `scaicore:manage` permission on this tenant.",
            },
        ),
        (
            rejected(403, None, "models:list"),
            502,
            {
                "error": "scaigrid_auth",
                "message": "ScaiGrid answered 403 without saying why.",
                "status": 403,
                "code": None,
                "fix": "Caller needs the `models:list` permission on this tenant.",
            },
        ),
        (
            rejected(403, "no"),
            502,
            {"error": "scaigrid_auth", "message": "no", "status": 403, "code": None},
        ),
        (
            rejected(401, "expired", "scaicore:view", "AUTH_TOKEN_INVALID"),
            502,
            {
                "error": "scaigrid_auth",
                "message": "expired",
                "status": 401,
                "code": "AUTH_TOKEN_INVALID",
                "fix": "ScaiGrid does not accept the credential: sign in again, or replace the API key.",
            },
        ),
        (
            rejected(404, "no such core", code="NOT_FOUND"),
            502,
            {"error": "scaigrid_api", "message": "no such core", "status": 404, "code": "NOT_FOUND"},
        ),
        (
            UpstreamUnavailable(
                "scaigrid", status=503, code="MODEL_UNAVAILABLE", message="all backends unhealthy"
            ),
            502,
            {
                "error": "scaigrid_api",
                "message": "all backends unhealthy",
                "status": 503,
                "code": "MODEL_UNAVAILABLE",
            },
        ),
        (
            UpstreamUnavailable("scaigrid"),
            502,
            {"error": "scaigrid_api", "message": "ScaiGrid cannot be reached.", "status": None, "code": None},
        ),
        (
            UpstreamNonsense("scaigrid", status=200),
            502,
            {
                "error": "scaigrid_api",
                "message": "ScaiGrid gave an answer that cannot be understood.",
                "status": 200,
                "code": None,
            },
        ),
        (
            UpstreamTimedOut("scaigrid", after_s=10.0),
            504,
            {"error": "scaigrid_timeout", "message": "ScaiGrid did not answer within 10 s.", "seconds": 10.0},
        ),
        (
            UpstreamTimedOut("scaikey", after_s=2.5),
            504,
            {"error": "scaikey_timeout", "message": "ScaiKey did not answer within 2.5 s.", "seconds": 2.5},
        ),
        (
            UpstreamRejected("scaikey", status=403, code=None, message=None),
            502,
            {
                "error": "scaikey_api",
                "message": "ScaiKey answered 403 without saying why.",
                "status": 403,
                "code": None,
            },
        ),
    ],
)
def test_each_failure_has_its_documented_name(
    failure: UpstreamError, status: int, detail: dict[str, object]
) -> None:
    error = as_app_error(failure)
    assert (error.status, error.detail()) == (status, detail)


def test_a_rate_limit_is_handed_on_with_body_and_headers() -> None:
    body = {"status": "error", "error": {"code": "RATE_LIMITED", "retry_after": 15}}
    failure = UpstreamBusy("scaigrid", message="slow down", body=body, headers={"Retry-After": "15"})
    error = as_app_error(failure)
    assert error.status == 429
    assert error.detail() == {"error": "scaigrid_busy", "message": "slow down"}
    assert error.headers == {"Retry-After": "15"}
    assert getattr(error, "beside") == body  # noqa: B009 - only the busy errors have it


def test_braces_in_an_upstreams_message_are_only_text() -> None:
    error = as_app_error(rejected(422, "unknown field {core} at {0}"))
    assert error.detail()["message"] == "unknown field {core} at {0}"
