"""`scaiflow test FLOW --api URL`: runs the fixtures that are saved at a ScaiFlow."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scaiflow_api.cli.api import ApiRefused, ScaiFlowApi
from scaiflow_api.cli.failure import CommandFailed, Unusable
from scaiflow_api.cli.flows.documents import FlowFile
from scaiflow_api.cli.flows.findings import tell
from scaiflow_api.cli.saved import find_saved
from scaiflow_api.domains.testruns.schemas import TestReport

_ANSWER_S = 3600.0
"""A test run answers when its last fixture is done."""


def run_through_api(file: FlowFile, options: Namespace) -> tuple[Mapping[str, Any], TestReport]:
    """Run the fixtures of a saved flow; return its document and the report.

    Raises Unusable for what keeps all of them from being run.
    """
    try:
        with ScaiFlowApi(options.api, options.token, answer_s=_ANSWER_S) as api:
            saved = find_saved(api, file.document, options.flow_id)
            if saved is None:
                raise Unusable(f"{file.shown_name} is not saved at {options.api}: deploy it with --api first")
            differs = "" if saved.is_what(file.document) else f", which is not what {file.shown_name} says"
            tell(f"testing version {saved.version} of {saved.id}{differs} …")
            body = {"core_id": options.core, **({"name_filter": options.filter} if options.filter else {})}
            answer, _ = api.call("POST", f"/flows/{saved.id}/run-tests", body=body)
            return saved.content, TestReport.model_validate(answer)
    except ApiRefused as refusal:
        said = [str(refusal.detail[name]) for name in ("message", "fix") if refusal.detail.get(name)]
        raise Unusable(f"{refusal.detail.get('error')}: {' '.join(said)}") from None
    except (ValidationError, KeyError, TypeError):
        raise Unusable(f"what answers at {options.api} does not behave like ScaiFlow's API") from None
    except CommandFailed as failure:
        raise Unusable(str(failure)) from None
