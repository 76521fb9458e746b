"""The command for testing and its options."""

from argparse import ArgumentTypeError, Namespace

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.commands import FLOW
from scaiflow_api.cli.register import Commands
from scaiflow_api.cli.target import add_straight, add_through_the_api, refuse_mixtures

_ONLY_STRAIGHT = {"concurrency": "--concurrency", "timeout": "--timeout"}


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
    add_straight(test)
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
    add_through_the_api(
        test,
        does="run the fixtures of the flow that is saved at this ScaiFlow",
        flow="the flow there (default: the one with the file's id, else your only one with its name)",
    )


def _test(options: Namespace) -> int:
    if options.json and options.junit == "-":
        raise Unusable("only one of --json and --junit can write to standard output")
    refuse_mixtures(options, straight=_ONLY_STRAIGHT)

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
