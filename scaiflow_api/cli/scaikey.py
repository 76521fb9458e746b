"""`scaiflow scaikey-register`: makes this service known at ScaiKey, and writes down what it then needs."""

import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.register import Commands

if TYPE_CHECKING:
    from pydantic import SecretStr

    from scaiflow_api.cli.registration import Registered

_REDIRECT = "SCAIFLOW_SCAIKEY_REDIRECT_URI"
_BASE = "SCAIKEY_BASE_URL"


def register(commands: Commands) -> None:
    """List the command."""
    command = commands.add(
        "scaikey-register",
        _register,
        "Register this service at ScaiKey, and write the settings that it then needs into a file. The access token of"
        " a super_admin is asked for, or read from standard input.",
    )
    command.add_argument("--file", default=".env", help="where the settings go; other lines stay (.env)")
    command.add_argument("--scaikey", metavar="URL", help=f"ScaiKey's address; else {_BASE}")
    command.add_argument("--name", default="ScaiFlow", help="the application's name at ScaiKey (ScaiFlow)")
    command.add_argument(
        "--redirect-uri",
        action="append",
        metavar="URL",
        help=f"where ScaiKey may send browsers back to, exactly; may be repeated; else {_REDIRECT}",
    )
    command.add_argument(
        "--scope",
        action="append",
        default=[],
        help="a further scope, for example secrets:read; may be repeated",
    )
    command.add_argument(
        "--client",
        metavar="ID",
        help="register in the name of this platform client, which has admin:write; its secret is asked for instead",
    )
    command.add_argument(
        "--new-secret",
        action="store_true",
        help="give a client that is there a new secret; the old one ends. By which call is not documented by ScaiKey:"
        " where ours does not exist, this says what to do on its admin page",
    )
    command.add_argument(
        "--show-secret", action="store_true", help="also print the secret on standard output"
    )


def _register(options: Namespace) -> None:
    import asyncio

    from scaiflow_api.cli.environment import load_settings
    from scaiflow_api.cli.registration import Order, carry_out
    from scaiflow_api.cli.settings_file import settings_file

    settings = load_settings().scaikey
    with settings_file(options.file) as file:
        held = file.values
        base_url = options.scaikey or held.get(_BASE) or settings.base_url
        order = Order(
            base_url=_address(base_url),
            name=options.name,
            redirect_uris=options.redirect_uri or [held.get(_REDIRECT) or settings.redirect_uri],
            scopes=options.scope,
            client_id=held.get("SCAIFLOW_SCAIKEY_CLIENT_ID"),
            secret=_secret(held.get("SCAIFLOW_SCAIKEY_CLIENT_SECRET")),
            new_secret=options.new_secret,
        )
        done = asyncio.run(carry_out(order, _asked(options.client), as_client=options.client))
        written = {
            _BASE: order.base_url,
            "SCAIFLOW_SCAIKEY_CLIENT_ID": done.client_id,
            "SCAIFLOW_SCAIKEY_CLIENT_SECRET": done.secret.get_secret_value(),
            "SCAIFLOW_SCAIKEY_APPLICATION_ID": done.application_id,
            _REDIRECT: order.redirect_uris[0],
        }
        try:
            changed = file.write(written)
        except (CommandFailed, OSError) as failure:
            raise CommandFailed(
                f"{done.client_id} {done.how}, but {failure}; mend that, and run again with --new-secret"
            ) from None
    _tell(options.file, done, written, changed=changed)
    if options.show_secret:
        print(done.secret.get_secret_value())


def _tell(file: str, done: "Registered", written: dict[str, str], *, changed: bool) -> None:
    what = f"{', '.join(written)} written to {file}" if changed else f"{file} has its settings already"
    print(f"{done.client_id} {done.how}; {what}", file=sys.stderr)
    for name in (name for name, value in written.items() if os.environ.get(name, value) != value):
        print(f"{name} is also set in the environment, which counts more than {file}", file=sys.stderr)


def _asked(client: str | None) -> "SecretStr":
    """Return what only its owner may see: it is no option, because options are shown to everybody on a machine."""
    from getpass import getpass

    what = f"secret of {client}" if client else "access token of a super_admin of ScaiKey"
    found = getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    secret = _secret(found.strip())
    if (
        secret is None
        or not secret.get_secret_value().isascii()
        or not secret.get_secret_value().isprintable()
    ):
        raise CommandFailed(f"standard input does not hold the {what}")
    return secret


def _secret(text: str | None) -> "SecretStr | None":
    from pydantic import SecretStr

    return SecretStr(text) if text else None


def _address(url: str | None) -> str:
    """Return ScaiKey's address. An administrator's token goes there, so others must not be able to listen."""
    from urllib.parse import urlsplit

    from scaiflow_api.kit.loopback import LOOPBACK

    if not url:
        raise CommandFailed(f"say where ScaiKey is: --scaikey, or {_BASE}")
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        usable = bool(parts.hostname) and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        safe = usable = False
    if not safe or not usable:
        raise CommandFailed(
            "ScaiKey's address is https://…, or http:// on this machine, without user and query"
        )
    return url.rstrip("/")
