"""`scaiflow deploy FLOW --api URL`: saves the flow at a ScaiFlow, if it changed, and deploys it from there."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scaiflow_api.cli.api import ApiRefused, ScaiFlowApi
from scaiflow_api.cli.deploy.outcome import foretell, refused, report
from scaiflow_api.cli.failure import CommandFailed, Unusable
from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.findings import show, tell
from scaiflow_api.cli.saved import Saved, find_saved
from scaiflow_api.compiler.diagnostics import Diagnostic
from scaiflow_api.domains.deploy.errors import CompileFailed

_COMPLETED = {"id": "flow_new", "version": "1.0.0"}
"""What the API writes into a flow where the file leaves it out."""


def deploy_through_api(
    flow: str,
    *,
    publish_as_model: bool | None,
    group_ids: Sequence[str] | None,
    url: str,
    token: str | None,
    flow_id: str | None,
    message: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Save and deploy a file, or with `dry_run` say what that would do.

    Raises Unusable for what the command was given, CommandFailed for what the API made of it.
    """
    file = read_flow(flow)
    if not isinstance(file.document, dict):
        raise Unusable(f"{file.shown_name} is no flow document")
    with ScaiFlowApi(url, token) as api:
        try:
            options = {"publish_as_model": publish_as_model, "group_ids": group_ids}
            order = {name: value for name, value in options.items() if value is not None}
            if dry_run:
                return foretell(_plan(api, file, flow_id, order), as_json=as_json)
            saved_id = _save(api, file, flow_id, message)
            answer, _ = api.call("POST", f"/flows/{saved_id}/deploy", body=order)
        except ApiRefused as refusal:
            show(file, _findings(refusal.detail), sys.stderr)
            raise refused(refusal.detail, as_json=as_json) from None
        except (KeyError, TypeError):
            raise CommandFailed(f"what answers at {url} does not behave like ScaiFlow's API") from None
    report({"flow_id": saved_id, **answer}, as_json=as_json)
    return 0


def _save(api: ScaiFlowApi, file: FlowFile, flow_id: str | None, message: str | None) -> str:
    """Bring the flow at the API to what the file says; return its id."""
    document = file.document
    saved = find_saved(api, document, flow_id)
    told = {} if message is None else {"message": message}
    if saved is None:
        _check(api, file)
        made, _ = api.call("POST", "/flows", body={"content": document, **told})
        tell(f"saved as the new flow {made['id']}")
        return str(made["id"])
    renamed = _renamed(saved, document)
    if not renamed and saved.is_what(document):
        tell(f"version {saved.version} of {saved.id} is what the file says")
        return saved.id
    _check(api, file)
    change = {"content": document, **renamed, **told}
    changed, _ = api.call("PUT", f"/flows/{saved.id}", body=change, headers={"If-Match": saved.etag})
    tell(f"saved as version {changed['version']} of {saved.id}")
    return saved.id


def _check(api: ScaiFlowApi, file: FlowFile) -> None:
    """Keep a flow with errors from being saved: nobody could deploy it. Shows warnings. Raises ApiRefused."""
    body = {"content": {**_COMPLETED, **file.document}}
    answer, _ = api.call("POST", "/flows/validate", body=body)
    if not answer["valid"]:
        raise ApiRefused(CompileFailed.status, CompileFailed(diagnostics=answer["diagnostics"]).detail())
    show(file, _findings(answer), sys.stderr)


def _plan(api: ScaiFlowApi, file: FlowFile, flow_id: str | None, order: Mapping[str, Any]) -> dict[str, Any]:
    """Return what saving and deploying would do; of a deploy only where nothing would be saved before."""
    document = file.document
    saved = find_saved(api, document, flow_id)
    if saved is None:
        _check(api, file)
        return {"save": "create", "flow_id": None}
    if _renamed(saved, document) or not saved.is_what(document):
        _check(api, file)
        return {"save": "update", "flow_id": saved.id}
    plan, _ = api.call("POST", f"/flows/{saved.id}/deploy", body={**order, "dry_run": True})
    return {"save": "none", "flow_id": saved.id, **plan}


def _renamed(saved: Saved, document: Mapping[str, Any]) -> dict[str, str]:
    name = document.get("name")
    return {"name": name} if isinstance(name, str) and name != saved.name else {}


def _findings(detail: Mapping[str, Any]) -> list[Diagnostic]:
    """Return the findings in an answer, to be shown with their places in the file."""
    listed = detail.get("diagnostics")
    try:
        return msgspec.convert(listed or [], list[Diagnostic])
    except msgspec.ValidationError:
        return []
