"""`scaiflow deploy FLOW`: straight to ScaiGrid, with a key; needs no ScaiFlow and no database."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

from scaiflow_api.cli.deploy.outcome import foretell, refused, report
from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.files import print_json
from scaiflow_api.cli.flows.findings import show, tell, too_large
from scaiflow_api.cli.straight import Straight
from scaiflow_api.compiler import CompileError
from scaiflow_api.domains.deploy.errors import CompileFailed
from scaiflow_api.domains.deploy.outlook import Outlook, look_ahead
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.domains.deploy.rollout import (
    CORE,
    PUBLISHED,
    QUEUES,
    RUNNING,
    KnownCore,
    LiveFlow,
    Progress,
    Rollout,
    RolloutLimits,
)
from scaiflow_api.flowgraph.limits import FlowTooLarge
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError
from scaiflow_api.upstreams.rate_limits import Patience

_STEPS = {
    QUEUES: "setting up the queues",
    CORE: "sending the manifest",
    RUNNING: "waiting until the Core runs",
    PUBLISHED: "publishing the chat model",
}


def deploy_straight(
    flow: str,
    *,
    publish_as_model: bool | None,
    group_ids: Sequence[str] | None,
    api_key: str | None,
    base_url: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Deploy a file, or with `dry_run` say what that would do. Return 1, having said why, for a flow with errors.

    Raises Unusable for what the command was given, CommandFailed for what ScaiGrid made of it.
    """
    file = read_flow(flow)
    straight = Straight.of(api_key, base_url)
    release = _compiled(file, publish_as_model, group_ids, as_json=as_json)
    if release is None:
        return 1
    if dry_run:
        try:
            outlook = asyncio.run(_look_ahead(release, straight))
        except UpstreamError as failure:
            raise refused(as_app_error(failure).detail(), as_json=as_json) from None
        except AppError as failure:
            raise refused(failure.detail(), as_json=as_json) from None
        return foretell({"manifest": release.manifest.decode(), **asdict(outlook)}, as_json=as_json)
    try:
        live = asyncio.run(_roll_out(release, straight))
    except AppError as failure:
        raise refused(failure.detail(), as_json=as_json) from None
    outcome = {
        "core_id": live.core.id,
        "published_slug": live.core.published_slug,
        "published_model_id": live.core.published_model_id,
        "scaiqueue_provisioning": asdict(live.queues) if live.queues else None,
    }
    report(outcome, as_json=as_json)
    return 0


def _compiled(
    file: FlowFile, publish_as_model: bool | None, group_ids: Sequence[str] | None, *, as_json: bool
) -> Release | None:
    try:
        release = Release.of(file.document, publish_as_model=publish_as_model, group_ids=group_ids)
    except (CompileError, FlowTooLarge) as failure:
        found = failure.diagnostics if isinstance(failure, CompileError) else [too_large(failure)]
        show(file, found, sys.stderr)
        if as_json:
            detail = CompileFailed(diagnostics=[finding.as_dict() for finding in found]).detail()
            print_json({"ok": False, **detail})
        return None
    show(file, release.findings, sys.stderr)
    return release


async def _look_ahead(release: Release, straight: Straight) -> Outlook:
    async with straight.open() as access:
        return await look_ahead(
            access,
            release,
            _known(release),
            max_queues=straight.settings.max_queues,
            patience=_patience(straight),
        )


async def _roll_out(release: Release, straight: Straight) -> LiveFlow:
    async with straight.open() as access:
        limits = RolloutLimits.of(straight.settings)
        rollout = Rollout(access, release, limits, patience=_patience(straight))
        steps = Progress(before_step=lambda step: tell(f"{_STEPS[step]} …"))
        return await rollout.run(_known(release), steps)


def _known(release: Release) -> KnownCore:
    """Nobody keeps a history here: whether there is a Core of this flow, only ScaiGrid can tell."""
    return KnownCore(may_exist=release.flow_id is not None)


def _patience(straight: Straight) -> Patience:
    return Patience(
        straight.settings.busy_wait_s,
        lambda seconds: tell(f"ScaiGrid limits the rate; it is asked again in {seconds:g} s …"),
    )
