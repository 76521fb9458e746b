"""A report in the XML that CI systems read as JUnit's."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scaiflow_api.cli.testruns.shown import Verdict, brief
from scaiflow_api.domains.testruns.schemas import FixtureResult, TestReport

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, escaped or not."""


def junit_xml(flow_name: str, report: TestReport, verdict: Verdict) -> bytes:
    """Return one `testsuite` with a `testcase` for each fixture, and one for the coverage if it was asked for.

    A fixture whose output differs is a `failure`, one without an output an `error`.
    """
    asked = verdict.wanted_pct is not None
    errors = sum(result.error is not None for result in report.results)
    failures = report.failed - errors + (verdict.too_little is not None)
    seconds = sum(result.duration_ms for result in report.results) / 1000
    counts = {
        "tests": str(len(report.results) + asked),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }
    suites = Element("testsuites", counts)
    suite = SubElement(suites, "testsuite", {"name": _xml(flow_name), **counts})
    if report.coverage is not None:
        properties = SubElement(suite, "properties")
        SubElement(properties, "property", {"name": "node_pct", "value": f"{report.coverage.node_pct:g}"})
    for result in report.results:
        _add(suite, flow_name, result)
    if asked:
        case = SubElement(
            suite, "testcase", {"classname": _xml(flow_name), "name": "coverage", "time": "0.000"}
        )
        if verdict.too_little is not None:
            SubElement(case, "failure", {"message": verdict.too_little, "type": "coverage"})
    indent(suites)
    text: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _add(suite: Element, flow_name: str, result: FixtureResult) -> None:
    about = {
        "classname": _xml(flow_name),
        "name": _xml(result.name),
        "time": f"{result.duration_ms / 1000:.3f}",
    }
    case = SubElement(suite, "testcase", about)
    if result.error is not None:
        SubElement(case, "error", {"message": _xml(result.error), "type": "run"})
    elif not result.ok:
        first = result.mismatches[0]
        told = SubElement(
            case, "failure", {"message": _xml(f"{first.path} {first.reason}"), "type": "mismatch"}
        )
        told.text = _xml(
            "\n".join(
                f"{item.path} {item.reason}: expected {brief(item.expected)}, got {brief(item.got)}"
                for item in result.mismatches
            )
        )


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)
