"""Running the fixtures, telling how it went, and the exit code that follows."""

from argparse import Namespace

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.documents import FlowFile
from scaiflow_api.cli.flows.files import write_output
from scaiflow_api.cli.flows.findings import tell
from scaiflow_api.cli.flows.sound import read_sound
from scaiflow_api.cli.testruns.junit import junit_xml
from scaiflow_api.cli.testruns.shown import Verdict, show
from scaiflow_api.domains.testruns.schemas import TestReport


def test_flow(options: Namespace) -> int:
    """Run the fixtures of a file. Return 0, or 1 when one failed or too little was covered.

    Raises Unusable, which exits with 2, where they could not be run.
    """
    file = read_sound(options.flow)
    report = _run(file, options)
    if not report.results and options.filter and _has_fixtures(file, options):
        raise Unusable(report.message or "no fixture was chosen")
    verdict = Verdict.on(report, options.min_coverage)
    if options.junit is not None:
        name = str(file.document["name"])
        write_output(options.junit, junit_xml(name, report, verdict), sources=(options.flow,))
    show(report, verdict, file.document, as_json=options.json, quiet=options.junit == "-")
    return 0 if verdict.ok else 1


test_flow.__test__ = False  # type: ignore[attr-defined]


def _run(file: FlowFile, options: Namespace) -> TestReport:
    if options.api is None:
        from scaiflow_api.cli.testruns.straight import run_straight

        return run_straight(file.document, options)

    from scaiflow_api.cli.testruns.through_api import run_through_api

    tell(f"{file.shown_name}: the fixtures saved at {options.api} are run")
    return run_through_api(file.document, options)


def _has_fixtures(file: FlowFile, options: Namespace) -> bool:
    return options.api is not None or bool(file.document.get("tests"))
