"""The command for testing and its options."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.commands import FLOW
from scaiflow_api.cli.register import Commands

_STRAIGHT = {
    "api_key": "--api-key",
    "base_url": "--base-url",
    "concurrency": "--concurrency",
    "timeout": "--timeout",
}
_THROUGH_THE_API = {"token": "--token", "flow_id": "--flow-id"}


def register(commands: Commands) -> None:
    """List the command."""
    test = commands.add(
        "test",
        _test,
        "Run a flow's fixtures against its deployed Core, with all their real effects: straight at ScaiGrid, or with"
        " --api through ScaiFlow's API. Exits with 1 when one fails, with 2 when they could not be run.",
    )
    test.add_argument("flow", metavar="FLOW", help=FLOW)
    test.add_argument("--core", metavar="ID", required=True, help="the Core that the flow was deployed to")
    test.add_argument(
        "--filter", metavar="TEXT", help="only fixtures that have this in their names, in any case"
    )
    test.add_argument(
        "--junit", metavar="PATH", help="also write the results as JUnit XML, - for standard output"
    )
    test.add_argument(
        "--min-coverage",
        metavar="PERCENT",
        type=_percent,
        help="also exit with 1 when fewer of the flow's nodes were run through",
    )
    test.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_straight(test)
    _add_through_the_api(test)


def _add_straight(test: ArgumentParser) -> None:
    test.add_argument(
        "--api-key",
        metavar="TEXT",
        help="a ScaiGrid key; better in SCAIGRID_API_KEY, where others on this machine do not see it",
    )
    test.add_argument(
        "--base-url", metavar="URL", help="ScaiGrid (default: SCAIGRID_BASE_URL, else the public one)"
    )
    test.add_argument(
        "--concurrency",
        metavar="N",
        type=_count,
        help="fixtures at a time (default: SCAIFLOW_TEST_CONCURRENCY, else 4)",
    )
    test.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        help="for one fixture (default: SCAIFLOW_TEST_TIMEOUT_S, else 60)",
    )


def _add_through_the_api(test: ArgumentParser) -> None:
    test.add_argument(
        "--api", metavar="URL", help="run the fixtures of the flow that is saved at this ScaiFlow"
    )
    test.add_argument("--token", metavar="TEXT", help="with --api: an access token; better in SCAIFLOW_TOKEN")
    test.add_argument(
        "--flow-id",
        metavar="ID",
        help="with --api: the flow there (default: the one with the file's id, else your only one with its name)",
    )


def _test(options: Namespace) -> int:
    if options.json and options.junit == "-":
        raise Unusable("only one of --json and --junit can write to standard output")
    wrong, when = (_THROUGH_THE_API, "only") if options.api is None else (_STRAIGHT, "not")
    for name, option in wrong.items():
        if getattr(options, name) is not None:
            raise Unusable(f"{option} goes {when} with --api")

    from scaiflow_api.cli.testruns.run import run_fixtures

    return run_fixtures(options)


def _percent(text: str) -> float:
    return _number(text, 0, 100)


def _seconds(text: str) -> float:
    return _number(text, 0.1, 86_400)


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no number") from None
    if not least <= value <= most:
        raise ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 to 64")
    return int(text)
