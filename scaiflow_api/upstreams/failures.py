"""How an upstream can fail, as its client tells it. Nothing here knows our API.

A domain may read a failure (a 409 means something to a deploy); what escapes a domain becomes one of `errors`.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

System: TypeAlias = Literal["scaigrid", "scaiqueue", "scaibunker", "scaikey", "scaivault"]

TITLES: Mapping[System, str] = {
    "scaigrid": "ScaiGrid",
    "scaiqueue": "ScaiQueue",
    "scaibunker": "ScaiBunker",
    "scaikey": "ScaiKey",
    "scaivault": "ScaiVault",
}
_NO_ACCESS = frozenset({401, 403})


class UpstreamError(Exception):
    """A system that we called did not do what we asked. Its text holds neither tokens nor bodies."""

    def __init__(
        self,
        system: System,
        *,
        status: int | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> None:
        self.system: System = system
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"{system}: {type(self).__name__} status={status} code={code}")


class UpstreamRejected(UpstreamError):
    """It answered 4xx. `code` and `message` are its own words, if it gave any."""

    def __init__(
        self, system: System, *, status: int, code: str | None, message: str | None, needs: str | None = None
    ) -> None:
        super().__init__(system, status=status, code=code, message=message)
        self.needs = needs
        """The permission that the call needs over there, where it is documented."""

    @property
    def no_access(self) -> bool:
        """Tell whether it refused the credential, not the request."""
        return self.status in _NO_ACCESS

    @property
    def conflict(self) -> bool:
        """Tell whether what was to be created is there already, under the same name."""
        return self.status == 409


class UpstreamBusy(UpstreamError):
    """It answered 429. Body and headers are kept, because the contract hands them on."""

    def __init__(
        self, system: System, *, message: str | None, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        super().__init__(system, status=429, message=message)
        self.body = body
        self.headers = headers


class UpstreamUnavailable(UpstreamError):
    """It answered 5xx, or could not be reached at all (then `status` is None)."""


class UpstreamUnreachable(UpstreamUnavailable):
    """No connection to it came about, so it was asked nothing. `cause` says why, for the operator alone."""

    def __init__(self, system: System, *, cause: str) -> None:
        super().__init__(system)
        self.cause = cause


class UpstreamCrowded(UpstreamUnavailable):
    """It was asked nothing: all connections that this process may have to it were in use."""


class UpstreamLeftAlone(UpstreamUnavailable):
    """It was asked nothing: it failed so often that it is left alone for a while."""

    def __init__(self, system: System, *, retry_after_s: float) -> None:
        super().__init__(system)
        self.retry_after_s = retry_after_s


class AddressRefused(UpstreamError):
    """It was not called: its address is, or leads to, one that must not be reached from here."""

    def __init__(self, system: System, reason: str) -> None:
        super().__init__(system, message=f"The address of {TITLES[system]} {reason}.")
        self.reason = reason


class UpstreamNonsense(UpstreamError):
    """It answered something that its documentation rules out: a redirect, a web page, broken or endless JSON."""


class UpstreamTimedOut(UpstreamError):
    """All attempts together took longer than the deadline."""

    def __init__(self, system: System, *, after_s: float) -> None:
        super().__init__(system)
        self.after_s = after_s
