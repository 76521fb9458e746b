"""Straight to ScaiGrid with a key, for commands that need no ScaiFlow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from scaiflow_api.cli.environment import load_settings
from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.findings import tell
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.addresses import UnusableAddress, base_url_of
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamUnreachable
from scaiflow_api.upstreams.scaigrid import ScaiGrid

PUBLIC = "https://scaigrid.scailabs.ai"


@dataclass(frozen=True, slots=True)
class Straight:
    """Which ScaiGrid a command goes to, and with what key."""

    settings: ScaiGridSettings
    _key: SecretStr = field(repr=False)

    @classmethod
    def of(cls, api_key: str | None, base_url: str | None) -> "Straight":
        """Take what the command was given, else what the environment says, else the public ScaiGrid.

        Raises Unusable.
        """
        settings = load_settings().scaigrid
        address = _address(base_url or settings.base_url or PUBLIC)
        return cls(settings.model_copy(update={"base_url": address}), _usable(api_key, settings.api_key))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Access]:
        """Open the connections for the length of the block."""
        configure_logging("ERROR")  # what fails is said in a sentence
        async with open_transport(self.settings) as http:
            try:
                yield Access(ScaiGrid(http, self.settings), self._key)
            except Exception as failure:
                cause = _why_unreachable(failure)
                if cause is not None:
                    tell(f"no connection to {self.settings.base_url}: {cause}")
                raise


def _why_unreachable(failure: BaseException | None) -> str | None:
    """Return why there was no connection, where that is what a failure was at first."""
    while failure is not None and not isinstance(failure, UpstreamUnreachable):
        failure = failure.__context__
    return failure.cause if failure is not None else None


def _usable(given: str | None, kept: SecretStr | None) -> SecretStr:
    text = (given if given is not None else kept.get_secret_value() if kept else "").strip()
    if not text:
        raise Unusable("no ScaiGrid key: set SCAIGRID_API_KEY, or give one with --api-key")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Unusable("the ScaiGrid key has characters that no key has")
    return SecretStr(text)


def _address(text: str) -> str:
    try:
        return base_url_of(text, allow_http=True)
    except UnusableAddress as reason:
        raise Unusable(f"the address of ScaiGrid {reason}: --base-url, or SCAIGRID_BASE_URL") from None
