"""The page about the command line, from what the commands say of themselves."""

from argparse import Action, ArgumentParser, BooleanOptionalAction, _HelpAction, _SubParsersAction
from collections.abc import Iterable, Iterator

from scaiflow_api.cli.commands import parser_for

INTRODUCTION = """# The command line

`scaiflow COMMAND --help` says the same as this page. `-` in the place of a file is standard input or output. What a
command is asked for goes to standard output, everything else to standard error. The exit code is 0 when all is well,
1 when there is something to tell (errors in a flow, a test that failed, a server that does not answer), and 2 when
the command cannot be carried out as it was given.

More is said of [deploying](deploy.md#from-the-command-line), [testing](testing.md#from-the-command-line),
[housekeeping](operations.md), [the audit log](audit.md) and [ScaiKey](directory.md#the-client-at-scaikey).
"""


def command_line_page() -> str:
    """Return the page: a part for each command."""
    return INTRODUCTION + "".join(_part(parser) for parser in _commands(parser_for("")))


def _commands(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """Yield the commands, those of a group in its place."""
    groups = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for command in group.choices.values():
            yield from _commands(command)


def _part(parser: ArgumentParser) -> str:
    actions = [action for action in parser._actions if not isinstance(action, _HelpAction)]
    operands = " ".join(_operand(action) for action in actions if not action.option_strings)
    head = f"\n## `{parser.prog} {operands}".rstrip() + f"`\n\n{parser.description}\n"
    if not actions:
        return head
    return f"{head}\n| | |\n|---|---|\n{''.join(_rows(actions))}"


def _rows(actions: Iterable[Action]) -> Iterator[str]:
    for action in actions:
        needed = "needed: " if action.option_strings and action.required else ""
        yield f"| `{_name(action)}` | {needed}{action.help} |\n"


def _name(action: Action) -> str:
    if not action.option_strings:
        return _value(action)
    takes = action.nargs != 0 and not isinstance(action, BooleanOptionalAction)
    names = ", ".join(action.option_strings)
    return f"{names} {_value(action)}" if takes else names


def _operand(action: Action) -> str:
    name = _value(action)
    return {"?": f"[{name}]", "+": f"{name}…", "*": f"[{name}…]"}.get(str(action.nargs), name)


def _value(action: Action) -> str:
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())
