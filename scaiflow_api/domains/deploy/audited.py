"""The audit records of deploys and undeploys."""

from scaiflow_api.db.audit import Entry, Outcome
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.audited import flow_entry


def deployed(
    flow: Flow,
    deployment: Deployment,
    outcome: Outcome,
    *,
    core_id: str | None = None,
    error: str | None = None,
    manifest: str | None = None,
) -> Entry:
    """Tell how far a deploy came; `manifest` is the hash of what the Core was given."""
    details = {"deployment_id": deployment.id, "version": deployment.flow_version}
    if core_id is not None:
        details["core_id"] = core_id
    if error is not None:
        details["error"] = error
    return flow_entry(flow, "flow.deployed", outcome=outcome, after=manifest, details=details)


def undeployed(flow: Flow, core_id: str, outcome: Outcome, *, error: str | None = None) -> Entry:
    """Tell of the end of one Core of the flow."""
    details = {"core_id": core_id} if error is None else {"core_id": core_id, "error": error}
    return flow_entry(flow, "flow.undeployed", outcome=outcome, details=details)
