"""`scaiflow`: the command line. Commands import what they need when they run, so that each starts fast.

The parser is the standard library's: anything larger takes longer to load than most commands take to run.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from scaiflow_api import __version__
from scaiflow_api.cli.failure import explained
from scaiflow_api.cli.flows import commands as flow_commands
from scaiflow_api.cli.register import Commands, Run
from scaiflow_api.cli.terminal import open_what_is_closed
from scaiflow_api.kit.garbage import keep_what_is_loaded, look_rarely


def main() -> None:
    """Run the command of this process, and leave with its exit code."""
    look_rarely()
    open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding lacks is shown as an escape and fails nothing.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    arguments = sys.argv[1:]
    if arguments and arguments[0] in flow_commands.NAMES:
        # At the first model, pydantic looks for plugins of its own in every package that is installed.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        explained(lambda: run(arguments))
    finally:
        keep_what_is_loaded()  # The process ends: looking through it all once more would free nothing.


def run(arguments: Sequence[str]) -> int | None:
    """Run one command. For anything else print the usage and exit with 2."""
    parser = parser_for(arguments[0] if arguments else "")
    options = parser.parse_args(arguments)
    command: Run | None = options.run
    if command is None:
        parser.print_help(sys.stderr)
        return 2
    return command(options)


def parser_for(command: str) -> ArgumentParser:
    """Return the parser: for a command on flow files only of those, else of all."""
    parser = ArgumentParser(
        prog="scaiflow",
        description="The backend of ScaiFlow: keeps, compiles, deploys and tests flows of AI agents.",
        epilog="'scaiflow COMMAND --help' tells more about one command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"scaiflow {__version__}")
    parser.set_defaults(run=None)
    commands = Commands(parser)
    flow_commands.register(commands)
    # Editors run the commands for flows on every save: they do not wait for the others.
    if command not in flow_commands.NAMES:
        _register_others(commands)
    return parser


def _register_others(commands: Commands) -> None:
    from scaiflow_api.cli import admin, scaikey
    from scaiflow_api.cli.audit import commands as audit
    from scaiflow_api.cli.deploy import commands as deploy
    from scaiflow_api.cli.testruns import commands as tests

    deploy.register(commands)
    tests.register(commands)
    _register_servers(commands)
    admin.register(commands)
    audit.register(commands)
    scaikey.register(commands)


def _register_servers(commands: Commands) -> None:
    commands.add(
        "dev",
        _dev,
        "Serve the API and the local grid on this machine, with everything embedded, until Ctrl-C.",
    )
    commands.add("serve", _serve, "Serve the API with the settings of the environment.")
    commands.add("grid", _grid, "Serve the local grid: a small ScaiKey and ScaiGrid for development.")
    migrate = commands.add("migrate", _migrate, "Change the database's schema to a revision.")
    migrate.add_argument("revision", nargs="?", default="head", help="'head' (default), 'base' or a revision")
    migrate.add_argument("--down", action="store_true", help="go back to the revision instead of forward")
    gc = commands.add(
        "gc",
        _gc,
        "Remove what nobody needs any more: objects without a row, unfinished files, expired idempotency keys.",
    )
    gc.add_argument("--dry-run", action="store_true", help="remove nothing, say what would be removed")
    gc.add_argument("--json", action="store_true", help="print the report as JSON")
    gc.add_argument(
        "--force", action="store_true", help="even if no row names any of the objects in the store"
    )
    token = commands.add(
        "token",
        _token,
        "Sign in at the local grid as a demo person and print the bearer token, and nothing else.",
    )
    token.add_argument("who", help="alice, bob, carol, dave, root or ci")
    commands.add("openapi", _openapi, "Print the OpenAPI document.")


def _dev(_: Namespace) -> None:
    from scaiflow_api.cli.dev import run as run_both

    run_both()


def _serve(_: Namespace) -> None:
    from scaiflow_api.cli.serve import serve_api

    serve_api()


def _grid(_: Namespace) -> None:
    from scaiflow_api.cli.serve import serve_grid

    serve_grid()


def _migrate(options: Namespace) -> None:
    from scaiflow_api.cli.serve import migrate_database

    migrate_database(options.revision, down=options.down)


def _gc(options: Namespace) -> None:
    from scaiflow_api.cli.housekeeping import collect_garbage

    collect_garbage(dry_run=options.dry_run, as_json=options.json, force=options.force)


def _token(options: Namespace) -> None:
    from scaiflow_api.cli.token import sign_in

    print(sign_in(options.who))


def _openapi(_: Namespace) -> None:
    from scaiflow_api.cli.serve import openapi_document

    print(openapi_document())
