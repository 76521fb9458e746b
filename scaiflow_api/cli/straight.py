"""Straight to ScaiGrid with a key, for commands that need no ScaiFlow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from scaiflow_api.cli.environment import load_settings
from scaiflow_api.cli.failure import Unusable
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.addresses import UnusableAddress, base_url_of
from scaiflow_api.upstreams.base import open_client
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.scaigrid import ScaiGrid

PUBLIC = "https://scaigrid.scailabs.ai"


def straight_settings(base_url: str | None) -> ScaiGridSettings:
    """Return the settings for a ScaiGrid: the one named, else the environment's, else the public one.

    Raises Unusable.
    """
    settings = load_settings().scaigrid
    try:
        address = base_url_of(base_url or settings.base_url or PUBLIC, allow_http=True)
    except UnusableAddress as reason:
        raise Unusable(f"the address of ScaiGrid {reason}: --base-url, or SCAIGRID_BASE_URL") from None
    return settings.model_copy(update={"base_url": address})


@asynccontextmanager
async def straight_access(api_key: str | None, settings: ScaiGridSettings) -> AsyncIterator[Access]:
    """Open ScaiGrid with the key given, else the environment's. Raises Unusable."""
    key = _key(api_key, settings)
    configure_logging("ERROR")  # what fails is said in a sentence
    async with open_client(settings) as http:
        yield Access(ScaiGrid(http, settings), key)


def _key(given: str | None, settings: ScaiGridSettings) -> SecretStr:
    kept = settings.api_key.get_secret_value() if settings.api_key else ""
    text = (given if given is not None else kept).strip()
    if not text:
        raise Unusable("no ScaiGrid key: set SCAIGRID_API_KEY, or give one with --api-key")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Unusable("the ScaiGrid key has characters that no key has")
    return SecretStr(text)
