"""The commands for the audit log and their options."""

from argparse import Namespace

from scaiflow_api.cli.register import Commands


def register(commands: Commands) -> None:
    """List the commands."""
    audit = commands.group("audit", "Look after the audit log.")
    verify = audit.add(
        "verify",
        _verify,
        "Say whether rows of the audit log were changed, removed, inserted or moved. Exits with 1 if so.",
    )
    verify.add_argument("--tenant", metavar="ID", help="the log of one tenant (default: all logs)")
    verify.add_argument(
        "--noted",
        metavar="SEQ:HASH",
        help="a last row that was noted earlier, which must still be there; with --tenant or --file",
    )
    verify.add_argument(
        "--file", metavar="PATH", help="an exported log (JSON Lines), or -, instead of the database"
    )
    verify.add_argument(
        "--filtered", action="store_true", help="the export was narrowed down: rows between may be missing"
    )
    verify.add_argument("--json", action="store_true", help="print {whole, logs} as JSON")


def _verify(options: Namespace) -> int:
    from scaiflow_api.cli.audit.verify import verify

    return verify(
        tenant_id=options.tenant,
        noted=options.noted,
        file=options.file,
        filtered=options.filtered,
        as_json=options.json,
    )
