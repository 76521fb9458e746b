"""Errors of deploying."""

from typing import Any, Final

from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import (
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
    ScaiQueueAuth,
    ScaiQueueBusy,
    ScaiQueueTimeout,
    as_app_error,
)
from scaiflow_api.upstreams.failures import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimedOut


class MissingScaiGridCredentials(AppError):
    """Nothing to authenticate with at ScaiGrid: deploying and testing."""

    status, error = 412, "missing_scaigrid_credentials"
    template = "no ScaiGrid credentials for tenant '{tenant_id}'"
    fix = "Sign in with ScaiKey, or set this tenant's API key via POST /v1/tenants/me/scaigrid_credentials."


class MissingServiceKey(MissingScaiGridCredentials):
    """The same where nobody has signed in, so that only the environment's key could pay."""

    template = "no ScaiGrid key for calls without a user"
    fix = (
        "The operator sets SCAIGRID_API_KEY, which serves development only, and not with"
        " SCAIFLOW_DEPLOY_AUTH=user_jwt."
    )


class DevDeployOff(AppError):
    status, error = 404, "dev_deploy_off"
    template = "POST /api/v1/dev/deploy is off."
    fix = "Save the flow and deploy it with POST /api/v1/flows/<flow id>/deploy."


class CompileFailed(AppError):
    """The flow has errors; `diagnostics` names them all. Nothing was changed in ScaiGrid."""

    status, error = 502, "scaicore_compile_failed"
    template = "The flow does not compile."
    fix = "Each entry of 'diagnostics' names a place and what is wrong there."


class _StepFailed(AppError):
    """A step that ScaiGrid refused or broke at; `status` and `code` are ScaiGrid's, null where it gave none."""

    template = "{message}"


class QueueProvisionFailed(_StepFailed):
    """The scope `scope`, or its queue `queue`, could not be set up. No Core was made or changed."""

    status, error = 502, "scaiqueue_provision_failed"


class CoreCreateFailed(_StepFailed):
    """ScaiGrid rejected the manifest."""

    status, error = 502, "scaicore_create_failed"


class CoreStartFailed(_StepFailed):
    """The Core `core_id` is there, but does not run; `core_status` is the last that was seen of it."""

    status, error = 502, "scaicore_start_failed"


class CorePublishFailed(_StepFailed):
    """The Core `core_id` runs, but could not be offered as a chat model."""

    status, error = 502, "scaicore_publish_failed"


ROLLOUT_FAILURES: Final = (
    QueueProvisionFailed,
    CoreCreateFailed,
    CoreStartFailed,
    CorePublishFailed,
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
    ScaiQueueAuth,
    ScaiQueueBusy,
    ScaiQueueTimeout,
)
"""What may go wrong between a compiled flow and a running Core, for the documentation of routes."""


class CoreDeleteFailed(_StepFailed):
    """The Core `core_id` is still there."""

    status, error = 502, "scaicore_delete_failed"


class DeployInProgress(AppError):
    status, error = 409, "deploy_in_progress"
    template = "Another deploy of this flow is under way."
    fix = "Try again when it is done; GET /api/v1/flows/{flow_id}/deployments?include=failed tells."
    come_again_s = 5


class CoreNotFound(AppError):
    """There is no such Core, it belongs to no flow that the caller may see, or not to this flow."""

    status, error = 404, "core_not_found"
    template = "There is no Core '{core_id}' of a flow that you may see here."
    fix = "GET /api/v1/flows/<flow id>/deployments lists the Cores of a flow."
    denies = True


def step_failed(kind: type[AppError], failure: UpstreamError, **fields: Any) -> AppError:
    """Return the step's own error, unless the failure is one that has the same name at every step."""
    general = as_app_error(failure)
    if isinstance(failure, UpstreamBusy | UpstreamTimedOut):
        return general
    if isinstance(failure, UpstreamRejected) and failure.no_access:
        return general
    return kind(headers=general.headers, **{**general.fields, **fields})
