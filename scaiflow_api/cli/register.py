"""The registry of commands."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TypeAlias

Run: TypeAlias = Callable[[Namespace], int | None]
"""Runs a command with its options; returns the exit code, or None for 0."""


class Commands:
    """The commands of one parser."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(self, name: str, run: Run, summary: str) -> ArgumentParser:
        """List a command and return its parser, for its options."""
        parser = self._parsers.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        parser.set_defaults(run=run)
        return parser

    def group(self, name: str, summary: str) -> "Commands":
        """List a command that consists of others, and return those for more to be added."""

        def help_needed(_: Namespace) -> int:
            parser.print_help(sys.stderr)
            return 2

        parser = self.add(name, help_needed, summary)
        return Commands(parser)
