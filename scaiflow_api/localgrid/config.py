"""What a local grid must be told. The command line makes this from the settings; tests make it by hand."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from scaiflow_api.kit.loopback import LOOPBACK

_NOT_IN_A_CSP = frozenset(" \t\r\n;,\"'<>")


def require_return_address(uri: str) -> None:
    """Raise ValueError for what no sign-in could safely return to."""
    target = urlsplit(uri)
    if target.scheme not in {"http", "https"} or not target.hostname or target.fragment:
        raise ValueError(f"{uri!r} is no http(s) address without a fragment that a sign-in could return to.")
    if not uri.isascii() or _NOT_IN_A_CSP.intersection(uri):
        raise ValueError(f"The redirect address {uri!r} holds a character that an address must escape.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GridConfig:
    """Configuration of one local grid. Raises ValueError, with a sentence for people, when it must not start."""

    database: Path
    """The SQLite file; it holds the private signing key, so it is made readable by its owner alone."""
    base_url: str
    """Where clients reach the grid, for example `http://127.0.0.1:8002`; loopback only."""
    api_client_id: str
    api_client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    """Where ScaiKey may send a browser back to; compared exactly."""
    environment: str = "development"
    api_key: str | None = field(default=None, repr=False)
    """An `sgk_` key of the demo service account, if calls without a token shall work."""
    model_url: str | None = None
    """Base URL of an OpenAI-compatible endpoint; None: the offline model answers."""
    model_key: str | None = field(default=None, repr=False)
    model_timeout_s: float = 60.0
    webhook_url: str | None = None
    """Where events about people and groups are delivered; None: nowhere, unless somebody registers a webhook."""
    webhook_secret: str | None = field(default=None, repr=False)
    faults: bool = False
    rate_limit_per_minute: int | None = None
    """The most requests to ScaiGrid of one credential in 60 seconds; None: any number."""
    run_timeout_s: float = 300.0
    """The longest a run of a Core may take; it fails then."""
    invoke_wait_s: float = 100.0
    """How long an invocation waits for its run before it answers RUNNING."""
    max_blocks: int = 100_000
    """The most blocks one run may execute."""

    def __post_init__(self) -> None:
        if self.environment == "production":
            raise ValueError("The local grid is for development: it does not start in production.")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        parts = urlsplit(self.base_url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK or parts.path:
            raise ValueError(
                f"The local grid is reached on this machine only: {self.base_url!r} is no http:// address"
                " of 127.0.0.1, localhost or [::1] without a path."
            )
        for uri in self.redirect_uris:
            require_return_address(uri)
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("A webhook needs both an address and a secret.")
        if self.rate_limit_per_minute is not None and self.rate_limit_per_minute < 1:
            raise ValueError("A rate limit allows at least one request a minute.")
        if self.api_key is not None and not self.api_key.startswith("sgk_"):
            raise ValueError("A ScaiGrid API key begins with 'sgk_'.")

    @property
    def scaikey_url(self) -> str:
        """ScaiKey's base address, which is also the platform's issuer."""
        return f"{self.base_url}/scaikey"
