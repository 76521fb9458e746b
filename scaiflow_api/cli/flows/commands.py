"""The commands for flow files and their options."""

from argparse import ArgumentParser, Namespace

from scaiflow_api.cli.register import Commands

NAMES = ("validate", "compile", "import", "publish", "fmt", "diff")
FLOW = "a flow document (JSON), or - for standard input"


def register(commands: Commands) -> None:
    """List the commands."""
    validate = commands.add(
        "validate",
        _validate,
        "Say everything that is wrong with flows. Exits with 1 when one has errors, with 2 when one is not there.",
    )
    validate.add_argument("flows", metavar="FLOW", nargs="+", help=FLOW)
    validate.add_argument(
        "--json",
        action="store_true",
        help="print {ok, errors, warnings} as JSON; of several flows a list, each with its file",
    )

    compile_ = commands.add("compile", _compile, "Compile a flow into what a runtime executes.")
    compile_.add_argument("flow", metavar="FLOW", help=FLOW)
    compile_.add_argument(
        "--format", choices=("yaml", "ir", "scai"), default="yaml", help="the format (default: yaml)"
    )
    _add_out(compile_, "the flow's name with the ending of the format; standard output for standard input")
    compile_.add_argument(
        "--no-verify", action="store_false", dest="verify", help="do not verify the IR (format ir only)"
    )

    import_ = commands.add("import", _import, "Turn a manifest or an IR bundle back into a flow document.")
    import_.add_argument("manifest", metavar="MANIFEST", help="a YAML manifest or a .scir bundle, or -")
    _add_out(import_, "standard output")

    _register_publish(commands)

    fmt = commands.add("fmt", _fmt, "Rewrite flow documents in their one readable form.")
    fmt.add_argument("flows", metavar="FLOW", nargs="+", help=FLOW)
    fmt.add_argument(
        "--check", action="store_true", help="change nothing; name what would change, and exit with 1"
    )

    diff = commands.add(
        "diff", _diff, "Show what is different between two flows, behaviour and layout apart."
    )
    diff.add_argument("old", metavar="OLD", help=FLOW)
    diff.add_argument("new", metavar="NEW", help=FLOW)
    diff.add_argument("--json", action="store_true", help="print the difference as JSON")
    diff.add_argument("--exit-code", action="store_true", help="exit with 1 when there is a difference")


def _register_publish(commands: Commands) -> None:
    publish = commands.add("publish", _publish, "Write a package (.scaipkg) of a flow; nothing is uploaded.")
    publish.add_argument("flow", metavar="FLOW", help=FLOW)
    publish.add_argument("--package-id", metavar="TEXT", help="default: the slug of the name")
    publish.add_argument("--name", metavar="TEXT", help="default: the name of the flow")
    publish.add_argument("--version", metavar="TEXT", default="0.1.0", help="default: 0.1.0")
    publish.add_argument("--description", metavar="TEXT", default="", help="default: empty")
    publish.add_argument("--readme", metavar="PATH", help="a Markdown file to put in")
    _add_out(publish, "<package-id>-<version>.scaipkg in this folder")


def _add_out(parser: ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--out", metavar="PATH", help=f"where to write, - for standard output (default: {default})"
    )


def _validate(options: Namespace) -> int:
    from scaiflow_api.cli.flows.validate import validate_files

    return validate_files(options.flows, as_json=options.json)


def _compile(options: Namespace) -> int:
    from scaiflow_api.cli.flows.compile import compile_file

    return compile_file(options.flow, options.format, options.out, verify=options.verify)


def _import(options: Namespace) -> int:
    from scaiflow_api.cli.flows.import_ import import_file

    return import_file(options.manifest, options.out)


def _publish(options: Namespace) -> int:
    from scaiflow_api.cli.flows.publish import publish

    return publish(
        options.flow,
        package_id=options.package_id,
        name=options.name,
        version=options.version,
        description=options.description,
        readme=options.readme,
        out=options.out,
    )


def _fmt(options: Namespace) -> int:
    from scaiflow_api.cli.flows.fmt import format_files

    return format_files(options.flows, check=options.check)


def _diff(options: Namespace) -> int:
    from scaiflow_api.cli.flows.diff import diff_files

    return diff_files(options.old, options.new, as_json=options.json, exit_code=options.exit_code)
