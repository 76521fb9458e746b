"""The options that say where a command goes: straight to ScaiGrid, or through ScaiFlow's API."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from scaiflow_api.cli.failure import Unusable

_STRAIGHT = {"api_key": "--api-key", "base_url": "--base-url"}
_THROUGH_THE_API = {"token": "--token", "flow_id": "--flow-id"}


def add_straight(parser: ArgumentParser) -> None:
    """Add what ScaiGrid is reached with."""
    parser.add_argument(
        "--api-key",
        metavar="TEXT",
        help="a ScaiGrid key; better in SCAIGRID_API_KEY, where others on this machine do not see it",
    )
    parser.add_argument(
        "--base-url", metavar="URL", help="ScaiGrid (default: SCAIGRID_BASE_URL, else the public one)"
    )


def add_through_the_api(parser: ArgumentParser, *, does: str, flow: str) -> None:
    """Add what the API is reached with: what `--api` does, and which flow is meant without `--flow-id`."""
    parser.add_argument("--api", metavar="URL", help=does)
    parser.add_argument(
        "--token", metavar="TEXT", help="with --api: an access token; better in SCAIFLOW_TOKEN"
    )
    parser.add_argument("--flow-id", metavar="ID", help=f"with --api: {flow}")


def refuse_mixtures(
    options: Namespace, *, straight: Mapping[str, str] | None = None, through: Mapping[str, str] | None = None
) -> None:
    """Raise Unusable for an option that does not go with or without `--api`; more of either may be named."""
    if options.api is None:
        wrong, how = {**_THROUGH_THE_API, **(through or {})}, "goes only with --api"
    else:
        wrong, how = {**_STRAIGHT, **(straight or {})}, "does not go with --api"
    for name, option in wrong.items():
        if getattr(options, name) is not None:
            raise Unusable(f"{option} {how}")
