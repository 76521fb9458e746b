"""ScaiKey's discovery document: where its other addresses are."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from scaiflow_api.upstreams.failures import UpstreamNonsense

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Discovery:
    """The addresses that we use."""

    issuer: str
    jwks_uri: str
    token_endpoint: str


def read_discovery(document: object, base_url: str) -> Discovery:
    """Read an OpenID configuration.

    Raises UpstreamNonsense when an address is missing, or when any that takes part in signing in has another
    origin than `base_url`: keys and codes go only where the operator said that ScaiKey is.
    """
    if not isinstance(document, Mapping):
        raise _unusable("is no object")
    home = _origin(base_url)
    for name, value in document.items():
        if _takes_part(name) and value is not None and (not isinstance(value, str) or _origin(value) != home):
            raise _unusable(f"names an address of another origin as '{name}'")
    jwks_uri, token_endpoint = document.get("jwks_uri"), document.get("token_endpoint")
    if jwks_uri is None or token_endpoint is None:
        raise _unusable("lacks 'jwks_uri' or 'token_endpoint'")
    return Discovery(document.get("issuer") or base_url, jwks_uri, token_endpoint)


def _takes_part(name: object) -> bool:
    # Pages for people (`op_tos_uri`, …) may be anywhere; nothing is ever sent there.
    return isinstance(name, str) and (name in {"issuer", "jwks_uri"} or name.endswith("_endpoint"))


def _unusable(reason: str) -> UpstreamNonsense:
    return UpstreamNonsense("scaikey", status=200, message=f"ScaiKey's discovery document {reason}.")


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Return scheme, host and port; None for what has none, or carries a user name."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]
