"""What an upstream's failure is called on our wire: `as_app_error` is the only such table."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.failures import (
    TITLES,
    System,
    UpstreamBusy,
    UpstreamCrowded,
    UpstreamError,
    UpstreamLeftAlone,
    UpstreamNonsense,
    UpstreamRejected,
    UpstreamTimedOut,
)

_PERMISSION = re.compile(r"\b(?:scai[a-z]+|models|modules|routing|accounting)(?::[a-z_]+)+")
_OF_THE_VAULT = (
    "The operator gives this service's ScaiKey client the scopes `secrets:read` and `secrets:write`."
)


class _Told(AppError):
    """An error whose sentence comes from the upstream, or stands in for one it did not give."""

    template = "{message}"


class ScaiGridAuth(_Told):
    """ScaiGrid refused the credential (401), or what it allows (403)."""

    status, error = 502, "scaigrid_auth"


class ScaiGridApi(_Told):
    """ScaiGrid failed; `status` and `code` are its own, null when it could not be reached."""

    status, error = 502, "scaigrid_api"


class ScaiGridTimeout(AppError):
    status, error = 504, "scaigrid_timeout"
    template = "ScaiGrid did not answer within {seconds:g} s."


class ScaiGridNotConfigured(AppError):
    status, error = 503, "scaigrid_not_configured"
    template = "ScaiGrid not configured on the server"
    fix = "The operator sets SCAIGRID_BASE_URL."


class ScaiQueueAuth(_Told):
    """ScaiQueue refused the credential (401), or what it allows (403)."""

    status, error = 502, "scaiqueue_auth"


class ScaiQueueApi(_Told):
    """ScaiQueue failed; `status` and `code` are its own, null when it could not be reached."""

    status, error = 502, "scaiqueue_api"


class ScaiQueueTimeout(AppError):
    status, error = 504, "scaiqueue_timeout"
    template = "ScaiQueue did not answer within {seconds:g} s."


class ScaiBunkerAuth(_Told):
    """ScaiBunker refused the credential (401), or what it allows (403)."""

    status, error = 502, "scaibunker_auth"


class ScaiBunkerApi(_Told):
    """ScaiBunker failed; `status` and `code` are its own, null when it could not be reached."""

    status, error = 502, "scaibunker_api"


class ScaiBunkerTimeout(AppError):
    status, error = 504, "scaibunker_timeout"
    template = "ScaiBunker did not answer within {seconds:g} s."


class ScaiKeyApi(_Told):
    """ScaiKey failed; `status` and `code` are its own, null when it could not be reached."""

    status, error = 502, "scaikey_api"


class ScaiKeyTimeout(AppError):
    status, error = 504, "scaikey_timeout"
    template = "ScaiKey did not answer within {seconds:g} s."


class ScaiKeyNotConfigured(AppError):
    status, error = 503, "scaikey_not_configured"
    template = "ScaiKey OIDC not configured on the server"
    fix = "The operator sets SCAIKEY_BASE_URL, SCAIFLOW_SCAIKEY_CLIENT_ID and SCAIFLOW_SCAIKEY_CLIENT_SECRET."


class ScaiKeyUnavailable(AppError):
    """The key that signed a token is not known here, and ScaiKey cannot be asked for it."""

    status, error = 503, "scaikey_unavailable"
    template = "ScaiKey's signing keys cannot be had at the moment."
    fix = "Try again in a few seconds."
    come_again_s = 5


class ScaiKeyRefused(AppError):
    """ScaiKey refused a code or a refresh token.

    By the contract `error` and `error_description` are its own words then, as of OAuth (`invalid_grant`, …).
    """

    status, error = 400, "scaikey_refused"
    template = "ScaiKey refused: {scaikey_error}"
    fix = "Sign in again: a code or a refresh token is good once, and only for a while."

    def detail(self) -> dict[str, Any]:
        return {**super().detail(), "error": self.fields["scaikey_error"]}


class ScaiVaultApi(_Told):
    """ScaiVault failed; `status` and `code` are its own, null when it could not be reached."""

    status, error = 502, "scaivault_api"


class ScaiVaultTimeout(AppError):
    status, error = 504, "scaivault_timeout"
    template = "ScaiVault did not answer within {seconds:g} s."


class _Busy(AppError):
    status = 429
    template = "{message}"

    def __init__(self, *, message: str, beside: Mapping[str, Any], headers: dict[str, str]) -> None:
        super().__init__(headers=headers, message=message)
        self.beside = beside
        """The upstream's own body, sent beside `detail`."""


class ScaiGridBusy(_Busy):
    """ScaiGrid's rate limit. Its body and headers are handed on, with `detail` added."""

    error = "scaigrid_busy"


class ScaiQueueBusy(_Busy):
    """ScaiQueue's rate limit. Its body and headers are handed on, with `detail` added."""

    error = "scaiqueue_busy"


class ScaiBunkerBusy(_Busy):
    """ScaiBunker's rate limit. Its body and headers are handed on, with `detail` added."""

    error = "scaibunker_busy"


class ScaiKeyBusy(_Busy):
    """ScaiKey's rate limit. Its body and headers are handed on, with `detail` added."""

    error = "scaikey_busy"


class ScaiVaultBusy(_Busy):
    """ScaiVault's rate limit. Its body and headers are handed on, with `detail` added."""

    error = "scaivault_busy"


@dataclass(frozen=True, slots=True)
class _Names:
    auth: type[_Told]
    api: type[_Told]
    timeout: type[AppError]
    busy: type[_Busy]


_NAMES: Mapping[System, _Names] = {
    "scaigrid": _Names(ScaiGridAuth, ScaiGridApi, ScaiGridTimeout, ScaiGridBusy),
    "scaiqueue": _Names(ScaiQueueAuth, ScaiQueueApi, ScaiQueueTimeout, ScaiQueueBusy),
    "scaibunker": _Names(ScaiBunkerAuth, ScaiBunkerApi, ScaiBunkerTimeout, ScaiBunkerBusy),
    # A refused sign-in is `ScaiKeyRefused`; any other refusal means that we asked wrongly.
    "scaikey": _Names(ScaiKeyApi, ScaiKeyApi, ScaiKeyTimeout, ScaiKeyBusy),
    # It refuses this service's own token: nothing that the caller could mend.
    "scaivault": _Names(ScaiVaultApi, ScaiVaultApi, ScaiVaultTimeout, ScaiVaultBusy),
}


def as_app_error(failure: UpstreamError) -> AppError:
    """Return what the caller of our API is told about an upstream's failure."""
    names, title = _NAMES[failure.system], TITLES[failure.system]
    if isinstance(failure, UpstreamTimedOut):
        return names.timeout(seconds=failure.after_s)
    if isinstance(failure, UpstreamBusy):
        message = failure.message or f"{title} limits the rate of requests."
        return names.busy(message=message, beside=failure.body, headers=dict(failure.headers))
    if isinstance(failure, UpstreamLeftAlone):
        return _left_alone(names.api, title, failure)
    message = failure.message or _stand_in(failure, title)
    kind = names.auth if isinstance(failure, UpstreamRejected) and failure.no_access else names.api
    return kind(message=message, status=failure.status, code=failure.code, **fix_of(failure))


def _left_alone(kind: type[_Told], title: str, failure: UpstreamLeftAlone) -> AppError:
    seconds = math.ceil(failure.retry_after_s)
    return kind(
        headers={"Retry-After": str(seconds)},
        message=f"{title} failed several times in a row; it is asked again in {seconds} s.",
        status=None,
        code=None,
        retry_after=seconds,
        fix="Try again after 'retry_after' seconds.",
    )


def fix_of(failure: UpstreamError) -> dict[str, Any]:
    """Return `{"fix": …}` where the refusal says, or the call knows, what is missing; else nothing."""
    if not isinstance(failure, UpstreamRejected) or not failure.no_access:
        return {}
    if failure.system == "scaivault":
        return {"fix": _OF_THE_VAULT}
    if failure.status == 401:
        title = TITLES[failure.system]
        return {"fix": f"{title} does not accept the credential: sign in again, or replace the API key."}
    named = _PERMISSION.search(failure.message or "")
    needed = named.group(0) if named else failure.needs
    return {"fix": f"Caller needs the `{needed}` permission on this tenant."} if needed else {}


def _stand_in(failure: UpstreamError, title: str) -> str:
    if isinstance(failure, UpstreamCrowded):
        return f"All connections to {title} are in use."
    if failure.status is None:
        return f"{title} cannot be reached."
    if isinstance(failure, UpstreamNonsense):
        return f"{title} gave an answer that cannot be understood."
    return f"{title} answered {failure.status} without saying why."
