"""`scaiflow test FLOW --api URL`: runs the fixtures that are saved at a ScaiFlow."""

from argparse import Namespace
from typing import Any

from pydantic import ValidationError

from scaiflow_api.cli.api import ApiRefused, ScaiFlowApi
from scaiflow_api.cli.failure import Unusable
from scaiflow_api.domains.testruns.schemas import TestReport
from scaiflow_api.upstreams.base import segment


def run_through_api(document: dict[str, Any], options: Namespace) -> TestReport:
    """Run the fixtures of a saved flow. Raises Unusable for what keeps all of them from being run."""
    flow_id = options.flow_id or document["id"]
    body = {"core_id": options.core, **({"name_filter": options.filter} if options.filter else {})}
    try:
        with ScaiFlowApi(options.api, options.token) as api:
            answer, _ = api.call("POST", f"/flows/{segment(flow_id)}/run-tests", body=body)
    except ApiRefused as refusal:
        said = [str(refusal.detail.get(name)) for name in ("message", "fix") if refusal.detail.get(name)]
        raise Unusable(f"{refusal.detail.get('error')}: {' '.join(said)}") from None
    try:
        return TestReport.model_validate(answer)
    except ValidationError:
        raise Unusable(f"what {options.api} answers is no report of a test run") from None
