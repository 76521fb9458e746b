"""`scaiflow`: the command line. Commands import what they need when they run, so that each starts fast."""

from typing import Annotated

import typer

from scaiflow_api import __version__
from scaiflow_api.cli.failure import explained

app = typer.Typer(
    name="scaiflow",
    help="The backend of ScaiFlow: keeps, compiles, deploys and tests flows of AI agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scaiflow {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def dev() -> None:
    """Serve the API and the local grid on this machine, with everything embedded, until Ctrl-C."""
    from scaiflow_api.cli.dev import run

    run()


@app.command()
def serve() -> None:
    """Serve the API with the settings of the environment."""
    from scaiflow_api.cli.serve import serve_api

    serve_api()


@app.command()
def grid() -> None:
    """Serve the local grid: a small ScaiKey and ScaiGrid for development."""
    from scaiflow_api.cli.serve import serve_grid

    serve_grid()


@app.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="`head`, `base` or a revision.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Go back to the revision instead of forward.")] = False,
) -> None:
    """Change the database's schema to a revision."""
    from scaiflow_api.cli.serve import migrate_database

    migrate_database(revision, down=down)


@app.command()
def token(
    who: Annotated[str, typer.Argument(help="alice, bob, carol, dave, root or ci")],
) -> None:
    """Sign in at the local grid as a demo person and print the bearer token, and nothing else."""
    from scaiflow_api.cli.token import sign_in

    typer.echo(sign_in(who))


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from scaiflow_api.cli.serve import openapi_document

    typer.echo(openapi_document())


def main() -> None:
    """Run a command."""
    explained(app)
