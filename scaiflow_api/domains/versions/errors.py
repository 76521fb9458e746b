"""What can be wrong with naming a version."""

from scaiflow_api.kit.errors import AppError


class NotDeployed(AppError):
    status, error = 404, "not_deployed"
    template = "The flow '{flow_id}' is not deployed."
    fix = "POST /api/v1/flows/{flow_id}/deploy deploys it; until then compare its versions, or 'current'."
