"""Running the fixtures, telling how it went, and the exit code that follows."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.documents import FlowFile
from scaiflow_api.cli.flows.files import refuse_sources, require_target, write_output
from scaiflow_api.cli.flows.sound import read_sound
from scaiflow_api.cli.testruns.junit import junit_xml
from scaiflow_api.cli.testruns.shown import Verdict, show
from scaiflow_api.domains.testruns.schemas import TestReport


def run_fixtures(options: Namespace) -> int:
    """Run the fixtures of a file. Return 0, or 1 when one failed or too little was covered.

    Raises Unusable, which exits with 2, where they could not be run.
    """
    if options.junit is not None:
        refuse_sources(options.junit, options.flow)
        require_target(options.junit)  # the fixtures have real effects
    document, report = _run(read_sound(options.flow), options)
    if not report.results and options.filter and document.get("tests"):
        raise Unusable(report.message or "no fixture was chosen")
    verdict = Verdict.on(report, options.min_coverage)
    show(report, verdict, document, as_json=options.json, quiet=options.junit == "-")
    if options.junit is not None:
        xml = junit_xml(str(document["name"]), report, verdict)
        write_output(options.junit, xml)
    return 0 if verdict.ok else 1


def _run(file: FlowFile, options: Namespace) -> tuple[Mapping[str, Any], TestReport]:
    """Return the document whose fixtures were run, and the report."""
    if options.api is None:
        from scaiflow_api.cli.testruns.straight import run_straight

        return file.document, run_straight(file.document, options)

    from scaiflow_api.cli.testruns.through_api import run_through_api

    return run_through_api(file, options)
